"""Words of the Queue page: the list and the verbs. Key: (English, Chinese)."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "view.open": ("Waiting", "待处理"),
    "view.snoozed": ("Snoozed", "已搁置"),
    "view.resolved": ("Resolved", "已结案"),
    "view": ("Show", "显示"),
    "load_new": ("{count} new: load", "{count} 条新警报：载入"),
    "load_again": ("Load again", "重新载入"),
    "queue.as_of": (
        "{count} alerts as of {time} UTC, by risk × amount. The list stands still until you load it.",
        "{count} 条，截至 {time} UTC，按风险 × 金额排序。载入前列表不变。",
    ),
    "queue.empty": (
        "Nothing is waiting. New alerts show up here by themselves as a number on the button above.",
        "没有待处理警报。新警报会以数字显示在上方按钮中。",
    ),
    "queue.empty_other": ("Nothing here.", "此处为空。"),
    "queue.of_rule": ("Rule {rule}", "规则 {rule}"),
    "queue.all_rules": ("Show the alerts of all rules again.", "重新显示所有规则的警报。"),
    "queue.done": ("This list is done. Load new alerts with N.", "本列表已处理完毕。按 N 载入新警报。"),
    "col.severity": ("Severity", "级别"),
    "col.amount": ("Amount", "金额"),
    "col.risk": ("Risk", "风险"),
    "col.what": ("What", "类型"),
    "col.waited": ("Waited", "等待"),
    "col.who": ("Who", "处理人"),
    "col.time": ("Time (UTC)", "时间 (UTC)"),
    "col.action": ("Action", "处置"),
    "col.verdict": ("Verdict", "结论"),
    "verb.fraud": ("Fraud", "欺诈"),
    "verb.legitimate": ("Legitimate", "合法"),
    "verb.escalate": ("Escalate", "升级"),
    "verb.snooze": ("Snooze", "搁置"),
    "verb.undo": ("Undo", "撤销"),
    "verb.help": (
        "Labels every payment of this alert ({count}); can be undone with U.",
        "将标记此警报的 {count} 笔付款；可按 U 撤销。",
    ),
    "verb.escalate_help": (
        "Marks the alert for a senior analyst; it stays in the list.",
        "标记给资深分析员；警报仍留在列表中。",
    ),
    "verb.snooze_help": (
        "Moves it to “Snoozed” until somebody reopens it or its severity worsens.",
        "移至“已搁置”，直到有人重新打开或级别升高。",
    ),
    "verb.undo_help": ("Takes back your last action.", "撤销您的上一步操作。"),
    "verb.reopen": ("Reopen", "重新打开"),
    "done.fraud": (
        "Fraud recorded for {alert}; labels sent: {count}.",
        "已记录欺诈：{alert}；{count} 条标签已发送。",
    ),
    "done.legitimate": (
        "Legitimate recorded for {alert}; labels sent: {count}.",
        "已记录合法：{alert}；{count} 条标签已发送。",
    ),
    "done.escalated": ("{alert} escalated.", "{alert} 已升级。"),
    "done.snoozed": ("{alert} snoozed.", "{alert} 已搁置。"),
    "done.open": ("{alert} reopened.", "{alert} 已重新打开。"),
    "done.proposed": (
        "{alert}: verdict proposed; a second person has to confirm it.",
        "{alert}：结论已提出，须由另一人确认。",
    ),
    "done.undo": ("Last action on {alert} taken back.", "已撤销对 {alert} 的上一步操作。"),
    "undo.nothing": ("There is nothing of yours to undo.", "没有可撤销的操作。"),
    "conflict.hits": (
        "Not written: payments joined this alert ({count}) while you read it. Look again, then press.",
        "未写入：阅读期间有 {count} 笔新付款并入。请复核后再按键。",
    ),
    "conflict.other": (
        "Not written: {actor} changed this alert first ({status}). The case shows its present state.",
        "未写入：{actor} 已先行更改（{status}）。现显示最新状态。",
    ),
    "failed": ("Not written: {reason}", "未写入：{reason}"),
}
