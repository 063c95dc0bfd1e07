"""Words of training at the table. Key: (English, Chinese)."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "drills.part.tabletop": ("Tabletop training", "桌面推演"),
    "table.exercises": ("Exercises ({count})", "推演科目（{count}）"),
    "table.how": (
        "An incident told as a story: you decide, against the clock. Answers are scored against the emergency plan that "
        "is in force; from {share} on you have passed, unless you chose something that must never be done. The result is "
        "recorded for {person}.",
        "以故事形式推演一次事件：您在限时内做出决定，按现行应急预案评分；达到 {share} 即合格，但选择了绝不可为之事除外。"
        "结果记录在 {person} 名下。",
    ),
    "table.seat": ("you are: {seat}", "您的角色：{seat}"),
    "table.questions": ("{count} questions", "{count} 题"),
    "table.not_taken": ("not taken yet", "尚未参加"),
    "table.going": ("under way, {done} answered", "进行中，已答 {done} 题"),
    "table.begin": ("Begin", "开始"),
    "table.again": ("Take it again", "重新参加"),
    "table.go_on": ("Go on", "继续"),
    "table.back": ("All exercises", "全部科目"),
    "table.unknown": ("There is no sitting {id}.", "没有编号为 {id} 的推演。"),
    "table.changed": (
        "The exercise or its plan was changed since this sitting began: begin again.",
        "推演开始后科目或预案已变更：请重新开始。",
    ),
    "table.changed_since": (
        "The exercise or its plan was changed since; the answers cannot be gone through any more. The result stands.",
        "其后科目或预案已变更，无法再逐题复盘；结果仍然有效。",
    ),
    "table.lapsed": (
        "This sitting began more than {minutes} minutes ago: begin again.",
        "本次推演开始已超过 {minutes} 分钟：请重新开始。",
    ),
    "table.others": (
        "{person} is taking this exercise. Nobody answers for another.",
        "{person} 正在参加本科目，任何人不得代答。",
    ),
    "table.question": ("Question {number} of {count}", "第 {number} 题，共 {count} 题"),
    "table.clock": ("+{minutes} min", "第 {minutes} 分钟"),
    "table.briefing": ("Briefing", "背景"),
    "table.left": ("{left} s left", "剩余 {left} 秒"),
    "table.late": (
        "The {seconds} s are over: an answer counts half from here on.",
        "{seconds} 秒已过：此后作答只计一半。",
    ),
    "table.several": (
        "Choose all that apply; a wrong one takes away what a right one gave.",
        "多选；选错会抵消选对的得分。",
    ),
    "table.choose": ("Choose an answer", "请选择"),
    "table.answer": ("Answer", "提交"),
    "table.unsure": ("I do not know", "不知道"),
    "table.unsure.help": (
        "Counts as no points; better than a guess that must never be done.",
        "不得分，但好过误选绝不可为之事。",
    ),
    "table.give_up": ("Give up", "放弃"),
    "table.abandoned": ("Given up", "已放弃"),
    "table.passed": ("Passed", "合格"),
    "table.failed": ("Not passed", "未合格"),
    "table.counts": ("It counts until {until}.", "有效期至 {until}。"),
    "table.below": (
        "{share} are needed. Go through the answers, then take it again.",
        "须达到 {share}。请复盘后重新参加。",
    ),
    "table.critical": (
        "Something was chosen that must never be done; it is marked below. Go through the answers, then take it again.",
        "选择了绝不可为之事（见下方标记）。请复盘后重新参加。",
    ),
    "table.is_critical": ("must never be done", "绝不可为"),
    "table.right": ("right", "正确"),
    "table.partly": ("partly: {share}", "部分：{share}"),
    "table.wrong": ("wrong", "错误"),
    "table.was_late": ("late ({took})", "超时（{took}）"),
    "table.yours": ("You", "您的选择"),
    "table.by_plan": ("By the plan", "按预案"),
    "table.why": ("Why", "原因"),
    "training.title": ("Who is trained", "培训状态"),
    "training.none": (
        "Nobody has finished an exercise yet. Begin one on the left; it takes ten minutes.",
        "尚无人完成推演。可在左侧开始，约需十分钟。",
    ),
    "training.current": ("current", "有效"),
    "training.expiring": ("expiring", "即将到期"),
    "training.outdated": ("plan has changed", "预案已变更"),
    "training.lapsed": ("lapsed", "已过期"),
    "training.failed": ("not passed", "未合格"),
    "training.col.state": ("State", "状态"),
    "training.col.person": ("Person", "人员"),
    "training.col.exercise": ("Exercise", "科目"),
    "training.col.score": ("Score", "得分"),
    "training.col.completed": ("Completed on", "完成日期"),
    "training.col.expires": ("Counts until", "有效期至"),
    "training.col.tries": ("Tries", "次数"),
    "training.coverage": ("Coverage", "覆盖情况"),
    "training.days": ("{days} d", "{days} 天"),
    "training.more": (
        "and {count} more: `tidegate drill training`",
        "另有 {count} 项：`tidegate drill training`",
    ),
    "training.rules": (
        "Pass mark, validity and warning stand in alerts/tabletop/training.toml. Who is marked “plan has changed” was "
        "trained in the version before.",
        "合格线、有效期与提醒天数见 alerts/tabletop/training.toml。预案其后变更的，所受培训对应旧版预案。",
    ),
}
