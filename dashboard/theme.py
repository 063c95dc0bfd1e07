"""Colours, symbols and style. Severity is always symbol + word + colour; the palette is Okabe and Ito's.

Okabe M, Ito K: Color Universal Design (2008). Colours that stand behind or beside text are legible on the
light and on the dark ground alike.
"""

from __future__ import annotations

from typing import Literal

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8C8C8C"

FONTS = "'Source Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"

SEVERITY = {"S1": ("▲", VERMILION), "S2": ("◆", ORANGE), "S3": ("●", SKY), "S4": ("○", GREY)}
ACTION_COLOUR = {
    "APPROVE": GREY,
    "STEP_UP": SKY,
    "HOLD": ORANGE,
    "DECLINE": VERMILION,
    "FREEZE": PURPLE,
}
ACTION_MARKER = {
    "APPROVE": "circle",
    "STEP_UP": "triangle-up",
    "HOLD": "square",
    "DECLINE": "x",
    "FREEZE": "star",
}
EVENT_MARKER = {
    "drift": ("triangle-down", ORANGE),
    "poisoning": ("x", VERMILION),
    "change": ("diamond", PURPLE),
}
EVENT_SYMBOL = {"drift": "▼", "poisoning": "✕", "change": "◆"}
LEARNING = {"normal": ("●", GREEN), "weighed_down": ("◐", ORANGE), "frozen": ("■", VERMILION)}
JOB = {
    "queued": ("○", GREY),
    "running": ("▶", BLUE),
    "done": ("●", GREEN),
    "failed": ("✕", VERMILION),
    "cancelled": ("■", GREY),
}
RULE_STATE = {"new": "＋", "changed": "△", "removed": "−"}
Mode = Literal["live", "stale", "replay", "down", "none"]
MODE: dict[Mode, tuple[str, str]] = {
    "live": ("●", GREEN),
    "stale": ("◐", ORANGE),
    "replay": ("▶", BLUE),
    "down": ("✕", VERMILION),
    "none": ("○", GREY),
}


def ink(dark: bool) -> str:
    """Text colour inside charts."""
    return "#E6E6E6" if dark else "#31333F"


def ground(dark: bool) -> str:
    """Behind text inside charts, so that lines do not run through it."""
    return "rgba(14,17,23,.8)" if dark else "rgba(255,255,255,.8)"


def grid(dark: bool) -> str:
    """Grid lines inside charts."""
    return "rgba(255,255,255,.14)" if dark else "rgba(0,0,0,.09)"


# Streamlit's own spacing is made for reports; a working screen of 1440 × 900 needs it tighter. `user-select:
# all` makes an id copyable with one click and Ctrl+C without a button beside each.
CSS = f"""<style>
.stApp, .stApp button, .stApp input {{ font-family: {FONTS}; }}
[data-testid=stMainBlockContainer] {{ padding: 4rem 1.4rem 1rem; max-width: none; }}
/* Language and actor lie in the empty right half of the navigation bar. */
.st-key-tg-desk {{ position: fixed; top: .55rem; right: 1.2rem; width: auto; z-index: 1000000; }}
[data-testid=stMain] [data-testid=stVerticalBlock] {{ gap: .55rem; }}
[data-testid=stMetric] {{ padding: .35rem .7rem; }}
[data-testid=stMetric] > div {{ padding: 0; }}
[data-testid=stMetricValue] {{ font-size: 1.55rem; }}
[data-testid=stMetricLabel] p {{ font-size: .85rem; }}
.tg-status {{ font-size: .95rem; padding-top: .35rem; }}
.tg-dot {{ font-weight: 700; }}
.tg-muted {{ opacity: .72; }}
.tg-id {{ font-family: monospace; font-size: .8rem; user-select: all; overflow-wrap: anywhere; }}
.tg-tag {{ border: 1px solid currentColor; border-radius: .3rem; padding: 0 .4rem; font-size: .8rem;
           white-space: nowrap; }}
.tg-title {{ font-size: 1.25rem; font-weight: 650; line-height: 1.3; }}
.tg-say {{ font-size: 1.05rem; line-height: 1.4; border-left: 4px solid {BLUE}; padding-left: .7rem; }}
.tg-bad {{ border-left-color: {VERMILION}; }}
dl.tg-facts {{ display: grid; margin: 0; padding: 0; grid-template-columns: max-content 1fr;
              gap: .15rem .8rem; font-size: .88rem; }}
.tg-facts dt, .tg-facts dd {{ margin: 0; padding: 0; overflow-wrap: anywhere; }}
.tg-facts dt {{ opacity: .72; font-weight: 400; }}
.tg-rule {{ margin-bottom: .6rem; font-size: .92rem; }}
.tg-head {{ font-weight: 650; font-size: .95rem; padding-top: .2rem; }}
.tg-banner {{ border: 2px solid {VERMILION}; border-left-width: 10px; border-radius: .3rem; padding: .3rem .7rem;
             font-weight: 600; overflow-wrap: anywhere; }}
.tg-banner-waits {{ border-color: {ORANGE}; border-style: dashed; font-weight: 500; }}
.tg-late {{ color: {VERMILION}; font-weight: 700; }}
.tg-soon {{ color: {ORANGE}; font-weight: 700; }}
.tg-done {{ color: {GREEN}; font-weight: 700; }}
.tg-card {{ border-top: 1px solid rgba(128,128,128,.35); padding-top: .4rem; }}
table.tg-table {{ border-collapse: collapse; width: 100%; font-size: .88rem; margin: .2rem 0 .4rem; }}
.tg-table th {{ text-align: left; font-weight: 600; opacity: .8; }}
.tg-table th, .tg-table td {{ padding: .25rem .6rem .25rem 0; vertical-align: top; line-height: 1.3;
             border-bottom: 1px solid rgba(128,128,128,.3); }}
.tg-chosen {{ border-left: 5px solid {BLUE}; padding-left: .5rem; }}
.tg-tight td + td {{ white-space: nowrap; }}
time {{ cursor: help; border-bottom: 1px dotted currentColor; }}
</style>"""
