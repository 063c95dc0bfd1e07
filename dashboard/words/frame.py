"""Words around every page: title, status line, switches. Key: (English, Chinese)."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "app.title": ("Tidegate", "闸潮"),
    "page.overview": ("Overview", "总览"),
    "page.queue": ("Queue", "待办"),
    "page.monitoring": ("Monitoring", "监控"),
    "page.models": ("Models", "模型"),
    "app.language": ("Language", "语言"),
    "app.actor": ("You are", "当前人员"),
    "app.actor_help": (
        "Written beside every action in the audit trail. Taken on trust: there is no log-in yet.",
        "写入每个操作的审计记录。控制台尚无登录，此名由使用者自行填写。",
    ),
    "mode.live": ("live", "实时"),
    "mode.stale": ("stale", "停滞"),
    "mode.replay": ("replay", "回放"),
    "mode.down": ("store down", "存储不可用"),
    "mode.none": ("no data yet", "尚无数据"),
    "mode.live_say": ("stream time {time} UTC", "流时间 {time} UTC"),
    "mode.replay_say": (
        "alive, working through recorded time: {time} UTC",
        "正常运行，正在处理历史时间：{time} UTC",
    ),
    "mode.stale_say": (
        "the scorer has not reported for {age}; last stream time {time} UTC",
        "评分进程已 {age} 无心跳；最后流时间 {time} UTC",
    ),
    "mode.stale_never": (
        "the scorer has never reported; last stream time {time} UTC",
        "评分进程从未上报；最后流时间 {time} UTC",
    ),
    "mode.none_say": ("start the stream with `tidegate up`", "请用 `tidegate up` 启动数据流"),
    "down.as_of": (
        "The store cannot be reached. As of {time} UTC; actions are disabled until it answers. {reason}",
        "无法连接存储。以下为 {time} UTC 的数据；恢复之前不能操作。{reason}",
    ),
    "down.nothing": (
        "The store cannot be reached and nothing has been read yet. {reason}",
        "无法连接存储，尚未读到任何数据。{reason}",
    ),
    "no_data": ("no data", "无数据"),
    "settings.wrong": ("The console cannot start: {reason}", "控制台无法启动：{reason}"),
}
