"""Words of silences, snoozes and deliveries on the Silences & routing page. Key: (English, Chinese)."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "silence.active": ("In force: {count}", "生效中：{count}"),
    "silence.planned": ("Coming: {count}", "即将生效：{count}"),
    "silence.ended": ("Ended within a week: {count}", "一周内结束：{count}"),
    "silence.none": ("Nothing is silenced: whatever comes up is told.", "没有静默：所有警报照常通知。"),
    "silence.ends": ("until {time} UTC, {age} left", "至 {time} UTC，剩余 {age}"),
    "silence.ends_soon": (
        "ENDS SOON: {time} UTC, {age} left; what is still open then pages",
        "即将结束：{time} UTC，剩余 {age}；届时未处理的将通知",
    ),
    "silence.begins": (
        "begins {time} UTC, in {age}, until {until} UTC",
        "{time} UTC 开始（{age} 后），至 {until} UTC",
    ),
    "silence.ended_by": ("ended early by {who}", "由 {who} 提前结束"),
    "silence.ended_itself": ("ended by itself", "到期结束"),
    "silence.set": ("set {time} UTC", "设于 {time} UTC"),
    "silence.end": ("End", "结束"),
    "silence.end_effect": (
        "What it holds and is still open pages at once.",
        "被屏蔽且仍未处理的警报将立即通知。",
    ),
    "silence.new": ("Silence something", "新建静默"),
    "silence.matchers": ("Matchers, one a line; all have to fit", "匹配条件，每行一个，须全部符合"),
    "silence.matchers_help": (
        "label=value, label!=value, severity>=S3 (S3 or milder) or severity<=S2 (S2 or worse); "
        "* and ? are wildcards, | parts alternatives. Labels: "
        "type, severity, corridor, partner, typology, channel, band, mcc, bin, entity_kind, id, incident.",
        "label=value、label!=value、severity>=S3（S3 及更轻）或 severity<=S2（S2 及更严重）；"
        "* 与 ? 为通配符，| 分隔多个取值。可用标签："
        "type、severity、corridor、partner、typology、channel、band、mcc、bin、entity_kind、id、incident。",
    ),
    "silence.length": ("Lasts", "时长"),
    "silence.length_help": ("As 30m, 2h, 1d12h; 30 days at most.", "如 30m、2h、1d12h；最长 30 天。"),
    "silence.later": ("Begins after", "延后开始"),
    "silence.later_help": ("0s: at once.", "0s 表示立即。"),
    "silence.reason_eg": ("the bank's planned work", "银行计划维护"),
    "silence.try": ("Try the matchers", "试算"),
    "silence.try_first": (
        "Try the matchers first: it says how many open alerts they fit now.",
        "请先试算：将显示目前匹配多少条未结警报。",
    ),
    "silence.preview": (
        "They fit {matched} of {alerts} alerts that are not resolved ({by}); {waiting} of them wait for somebody and "
        "would go quiet. The worst: {ids}.",
        "未结警报 {alerts} 条，匹配 {matched} 条（{by}）；其中 {waiting} 条待处理，将不再通知。最严重：{ids}。",
    ),
    "silence.preview_none": (
        "They fit none of {alerts} alerts that are not resolved; what comes up later and fits would be quiet.",
        "未结警报 {alerts} 条，无一匹配；之后出现的匹配警报将被静默。",
    ),
    "silence.preview_no_alerts": (
        "No alert is open: only what comes up later would be quiet.",
        "目前没有未结警报：只影响之后出现的警报。",
    ),
    "silence.preview_part": ("Tried on {looked} of {alerts}.", "仅试算了 {alerts} 条中的 {looked} 条。"),
    "silence.do": ("Silence", "静默"),
    "silence.done": ("Silenced until {until} UTC: {id}.", "已静默至 {until} UTC：{id}。"),
    "silence.done_ended": (
        "Ended: {id}. What is still open is told now.",
        "已结束：{id}。仍未处理的将立即通知。",
    ),
    "silence.over": ("{id} had ended already.", "{id} 已经结束。"),
    "snooze.all": ("Snoozed now: {count}, the first to end first", "搁置中：{count}，最先到期在前"),
    "snooze.none": ("Nothing is snoozed.", "没有搁置。"),
    "snooze.alert": ("alert", "警报"),
    "snooze.rule": ("rule {rule}", "规则 {rule}"),
    "snooze.until": ("until {time} UTC, {age} left", "至 {time} UTC，剩余 {age}"),
    "snooze.no_reason": ("no reason given", "未写理由"),
    "snooze.new": ("Snooze a rule on an entity", "按实体搁置规则"),
    "snooze.rule_id": ("Rule", "规则"),
    "snooze.severity": ("Up to severity", "最高级别"),
    "snooze.severity_help": (
        "Anything worse is heard all the same. The worse it is, the shorter it may be snoozed.",
        "更严重的警报照常通知。级别越高，可搁置的时间越短。",
    ),
    "snooze.kind": ("Kind", "类别"),
    "snooze.entity": ("Entity (token)", "实体（标识）"),
    "snooze.effect": (
        "Alerts that only this rule raises on it open quietly until then; decisions are not touched.",
        "到期前，仅由该规则对此实体产生的警报静默开启；决策不受影响。",
    ),
    "snooze.do": ("Snooze", "搁置"),
    "snooze.set": ("Snoozed: rule {rule} on {entity}.", "已搁置：规则 {rule}，实体 {entity}。"),
    "snooze.lift": ("Wake", "提前结束"),
    "snooze.lift_effect": (
        "The rule raises alerts on this entity again; nothing that opened quietly is told.",
        "该规则将重新对此实体产生警报；此前静默开启的警报不会补发通知。",
    ),
    "snooze.wake_effect": ("The alert waits for somebody again, and is told.", "该警报将重新待处理并通知。"),
    "snooze.done": ("Ended.", "已结束。"),
    "snooze.over": ("It had ended already.", "已经结束。"),
    "snooze.more": ("and {count} more, which end later", "另有 {count} 项，到期更晚"),
    "receivers": ("Receivers", "接收方"),
    "receivers.none": (
        "There is no receiver: nobody can be told. Set some in the routing file (docs/routing.md).",
        "没有接收方：无法通知任何人。请在路由文件中设置（docs/routing.md）。",
    ),
    "receivers.owed": ("In flight", "投递中"),
    "receivers.failures": ("Failed in a row", "连续失败"),
    "receivers.last": ("Last taken", "最近送达"),
    "receivers.never": ("never", "从未"),
    "receivers.rate": ("Most", "速率上限"),
    "receivers.no_rate": ("no limit", "不限"),
    "receivers.trouble": ("Last failure since then", "此后的最近失败"),
    "breaker.closed": ("in order", "正常"),
    "breaker.open": ("rests after failures", "故障暂停"),
    "breaker.half_open": ("being tried again", "试探恢复"),
    "breaker.disabled": ("disabled (410) until its settings change", "已停用（410），更改设置后恢复"),
    "dead_letters": ("Given up: {count}", "已放弃：{count}"),
    "dead_letters.none": ("No message was given up.", "没有放弃的消息。"),
    "dead_letters.more": ("and {count} more", "等另 {count} 项"),
    "dead_letters.attempts": ("attempts: {count}", "共 {count} 次"),
    "dead_letters.again": ("Send again", "重发"),
    "dead_letters.effect": (
        "It goes out under the same id: a receiver that took it before drops it.",
        "以相同编号重发：已收到过的接收方会去重。",
    ),
    "dead_letters.asked": ("{who} asked; the sender takes it up", "{who} 已请求，等待通知进程"),
    "dead_letters.done": (
        "Asked for: it goes out with the sender's next step.",
        "已请求：通知进程下一步发出。",
    ),
    "gaps": ("Alerts stored against pages delivered", "警报与通知对账"),
    "gaps.sum": (
        "{alerts} alerts not resolved: {told} told, {quiet} quiet for a recorded reason, {waiting} under way in time; "
        "{messages} delivered messages looked at. As of {time} UTC.",
        "未结警报 {alerts} 条：已通知 {told}，有记录地静默 {quiet}，按时投递中 {waiting}；"
        "核对已送达消息 {messages} 条。截至 {time} UTC。",
    ),
    "gaps.reasons": ("Quiet: {reasons}.", "静默原因：{reasons}。"),
    "gaps.none": (
        "No gap: every alert was told or is quiet for a recorded reason.",
        "没有缺口：每条警报都已通知，或有记录的静默理由。",
    ),
    "gaps.nothing": ("There is nothing to compare yet.", "尚无可对账的内容。"),
    "gaps.some": ("Gaps: {count}", "缺口：{count}"),
    "gaps.kind": ("What is missing", "缺少什么"),
    "gaps.alert": ("Alert", "警报"),
    "gaps.since": ("Since (UTC)", "自 (UTC)"),
    "gap.not_routed": ("not routed", "未进入路由"),
    "gap.nobody": ("no receiver was there", "无接收方"),
    "gap.overdue": ("its group is overdue", "分组逾期未发"),
    "gap.undelivered": ("not taken in time", "逾期未送达"),
    "gap.dead": ("all messages given up", "消息均已放弃"),
    "gap.orphan": ("paged, but not stored", "已通知但未存储"),
}
