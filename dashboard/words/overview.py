"""Words of the Overview page. Key: (English, Chinese)."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "span": ("Time span", "时间范围"),
    "open_alerts": ("Waiting alerts", "待处理警报"),
    "open_alerts.help": (
        "Open, acknowledged and escalated; by severity.",
        "未处理、已确认与已升级；按级别统计。",
    ),
    "oldest": ("Closest to its limit", "最接近时限"),
    "oldest.help": (
        "The untouched alert that has used most of its acknowledgement time.",
        "未处理警报中，确认时限消耗比例最高的一条。",
    ),
    "oldest.of": ("{severity}, limit {limit} min", "{severity}，时限 {limit} 分钟"),
    "oldest.none": ("none", "无"),
    "oldest.over": ("{severity}, over its {limit} min", "{severity}，已超过 {limit} 分钟"),
    "at_risk": ("Money at risk", "风险资金"),
    "at_risk.help": (
        "Waiting alerts whose payments were let through, in USD.",
        "待处理警报中已放行的付款，折合美元。",
    ),
    "stopped": ("Stopped, 24 h", "已拦截（24 小时）"),
    "stopped.help": (
        "Alerts of the last 24 h whose payments were held, declined or frozen, in USD.",
        "近 24 小时被暂缓、拒绝或冻结的警报付款，折合美元。",
    ),
    "precision": ("Precision, 24 h", "准确率（24 小时）"),
    "precision.help": (
        "Share of fraud among the verdicts of the last 24 h.",
        "近 24 小时人工结论中欺诈所占比例。",
    ),
    "precision.of": ("{frauds} of {verdicts} verdicts", "{verdicts} 条结论中 {frauds} 条"),
    "lag": ("Stream lag", "流延迟"),
    "lag.help": ("How far the scorer is behind its input.", "评分进程落后于输入的时间。"),
    "risk_chart": ("Risk of all payments", "全部付款的风险"),
    "outcomes_chart": ("Payments and interventions per minute", "每分钟付款与干预"),
    "risk": ("risk", "风险"),
    "p50": ("median", "中位数"),
    "p99": ("99th percentile", "第 99 百分位"),
    "decided": ("all payments", "全部付款"),
    "top_entities": ("Where the waiting loss sits", "待处理损失集中于"),
    "top_corridors": ("Corridors with most alerts", "警报最多的通道"),
    "processes": ("Processes", "进程"),
    "all_clear": (
        "No alert is waiting. Next: look at what was stopped in the Queue under “Resolved”, or let it run.",
        "没有待处理警报。下一步：可在待办的“已结案”中回看，或继续运行。",
    ),
    "waiting_first": (
        "Nothing has been processed yet. Start the stream with `tidegate up`; this page fills by itself.",
        "尚未处理任何数据。请用 `tidegate up` 启动数据流，本页会自动更新。",
    ),
    "restarts_say": (
        "{process} had to be restarted ({count}×); last report {age} ago.",
        "{process} 已重启 {count} 次；最近上报于 {age} 前。",
    ),
    "col.entity": ("Entity", "实体"),
    "col.kind": ("Kind", "类别"),
    "col.alerts": ("Alerts", "警报"),
    "col.payments": ("Payments", "付款"),
    "col.loss": ("Expected loss", "预期损失"),
    "col.corridor": ("Corridor", "通道"),
    "col.rate": ("Alerts per 1,000", "每千笔警报"),
    "col.process": ("Process", "进程"),
    "col.status": ("Status", "状态"),
    "col.restarts": ("Restarts", "重启"),
    "col.reported": ("Reported", "上报"),
    "col.details": ("Details", "详情"),
    "ago": ("{age} ago", "{age} 前"),
    "silent": ("silent", "无响应"),
}
