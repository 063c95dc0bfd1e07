"""Words of containment on the Incidents page. Key: (English, Chinese)."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "contain.none": ("Nothing is contained and nothing waits.", "没有遏制措施，也没有待批准的提案。"),
    "contain.proposed": (
        "proposed by {who} at {time} UTC for {minutes} min: {reason}",
        "{who} 于 {time} UTC 提出，{minutes} 分钟：{reason}",
    ),
    "contain.effective": ("in force in the stream since {time} UTC", "自 {time} UTC 起在数据流中生效"),
    "contain.effective_after": ("{seconds} s after its approval", "批准后 {seconds} 秒"),
    "contain.not_taken": (
        "approved, the flow has not taken it yet: is the scorer running?",
        "已批准，数据流尚未执行：评分进程是否在运行？",
    ),
    "contain.until": ("until {time} UTC, {age} left", "至 {time} UTC，剩余 {age}"),
    "contain.approved": ("approved by {who}", "批准人 {who}"),
    "contain.ended": ("ended by {who} at {time} UTC: {reason}", "{who} 于 {time} UTC 结束：{reason}"),
    "contain.radius": (
        "Of {decisions} payments of the last {hours} h it would newly stop {stopped} and challenge {challenged}. Of "
        "those stopped, {good} are good ({good_usd}, {share} of all payments) and {frauds} frauds ({fraud_usd}).",
        "在最近 {hours} 小时的 {decisions} 笔付款中，将新增拦截 {stopped} 笔、加强验证 {challenged} 笔。"
        "拦截的付款中，正常 {good} 笔（{good_usd}，占全部 {share}），欺诈 {frauds} 笔（{fraud_usd}）。",
    ),
    "contain.released": (
        "It would let {count} payments pass that are stopped now.",
        "将放行目前被拦截的 {count} 笔付款。",
    ),
    "contain.corridors": ("Most touched: {corridors}", "影响最大：{corridors}"),
    "contain.empty": (
        "There is no payment of that time to try it on.",
        "该时段没有可供试算的付款。",
    ),
    "contain.radius_unknown": (
        "A rollback cannot be told before the snapshot serves.",
        "回退模型的影响在生效前无法试算。",
    ),
    "contain.over": (
        "{id} has ended since this page was drawn: load it again.",
        "{id} 在页面绘制后已结束：请重新载入。",
    ),
    "contain.approve": ("Approve", "批准"),
    "contain.refuse": ("Refuse", "驳回"),
    "contain.undo": ("Undo", "撤销"),
    "contain.reason": ("Reason", "理由"),
    "contain.reason_eg": ("what it is to stop", "要阻止什么"),
    "contain.reason_missing": (
        "Say why: it stands in the audit trail.",
        "请说明理由：将写入审计记录。",
    ),
    "contain.second": (
        "You proposed it: a second person has to approve it.",
        "由您提出：须由另一人批准。",
    ),
    "contain.propose": ("Propose a containment", "提出遏制措施"),
    "contain.from": ("From", "来源"),
    "contain.by_hand": ("by hand", "手动"),
    "contain.preset": ("{id}: {verb}, {minutes} min", "{id}：{verb}，{minutes} 分钟"),
    "contain.verb": ("Verb", "措施"),
    "contain.scope": ("Scope, one KEY=VALUE a line", "范围，每行一个 KEY=VALUE"),
    "contain.scope_help": (
        "Keys: {keys}. All must match. Empty: the whole service.",
        "可用键：{keys}。须全部匹配；留空为全部业务。",
    ),
    "contain.minutes": ("Minutes until it ends by itself", "自动结束前的分钟数"),
    "contain.above": ("Limit in US dollars", "限额（美元）"),
    "contain.model": ("Snapshot to serve", "使用的模型快照"),
    "contain.dry_run": ("Dry run", "试算"),
    "contain.dry_first": (
        "Make a dry run first: it says which good payments this would stop.",
        "请先试算：将显示会误拦哪些正常付款。",
    ),
    "contain.do": ("Propose", "提出"),
    "contain.done_proposed": (
        "Proposed: {id}. A second person has to approve it.",
        "已提出：{id}。须由另一人批准。",
    ),
    "contain.done_in_force": ("Approved: {id}. It goes to the stream now.", "已批准：{id}。正在送入数据流。"),
    "contain.done_ended": ("Ended: {id}.", "已结束：{id}。"),
    "contain.two_needed": ("needs two people", "需两人"),
}
