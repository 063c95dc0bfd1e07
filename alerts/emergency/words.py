"""The words of a printed plan, in English and Chinese: headings, roles, phases, verbs, media, metrics."""

from __future__ import annotations

from alerts.emergency.reading import Words

_TABLE = """
version|Version|版本
effective_from|In force from|生效日期
review_by|Review by|复审期限
owner|Owner|负责人
deputy|Deputy|副负责人
code|Short code|短码
nobody|nobody|无
trigger|When this plan is used|启动条件
people|Whom to call|联系人
role|Role|角色
contact|Contact|联系方
reach|How to reach|联系方式
checked|Checked on|核验日期
placeholder|EXAMPLE - replace it|示例，须替换
steps|Steps|处置流程
phase|Phase|阶段
within|Within|时限
who|Who|谁
what|What|内容
verified|Verified by|核验方法
containment|Containment that is prepared|预设遏制措施
measure|Measure|措施
verb|Verb|动作
scope|Scope|范围
minutes|Minutes|分钟
whole|the whole service|全部业务
channels|Channels|沟通渠道
medium|By|方式
fallback|If that is down|备用方式
collaboration|Working together|协作流程
messages|What is said|对外口径
recovery|Recovery and its checks|恢复与核验
metrics|Targets|指标
metric|Metric|指标
target|Target|目标
source|Source|来源
change|What this version changes|本版变更
approved|approved by|批准
printed|Printed on|打印日期
kind_person|Person|人员
kind_authority|Authority|主管部门
kind_scheme|Card scheme|卡组织
kind_partner|Partner|合作方
kind_supplier|Supplier|供应商
kind_customers|Customers|客户
incident_commander|Incident commander|事件总指挥
fraud_lead|Fraud lead|反欺诈负责人
technical_lead|Technical lead|技术负责人
compliance_mlro|Compliance (MLRO)|合规（反洗钱报告官）
privacy_officer|Privacy officer|个人信息保护负责人
communications|Communications|对外沟通
partner_liaison|Partner liaison|合作方联络
scribe|Scribe|记录员
legal|Legal|法务
detect|Detect|发现
triage|Triage|研判
declare|Declare|宣布
contain|Contain|遏制
investigate|Investigate|调查
notify|Notify|通报
recover|Recover|恢复
review|Review|复盘
plan_update|Plan update|修订预案
suspend|suspend|暂停
step_up|step up|加强验证
hold|hold|暂缓
limit|lower the limit|下调限额
hold_payouts|hold payouts|暂缓出款
freeze|freeze|冻结
rules_only|rules only|仅用规则
rollback|roll the model back|回退模型
phone|phone|电话
chat|chat|即时消息
email|e-mail|电子邮件
portal|portal|报送平台
letter|letter|书面
in_app|in the app|应用内
website|web site|网站
in_person|in person|当面
regulator|To regulators|致监管部门
scheme|To card schemes|致卡组织
partner|To partners|致合作方
customer|To customers|致客户
mttd|Time to detect|发现用时
mtta|Time to acknowledge|响应用时
mttc|Time to contain, from approval to effect in the stream|遏制用时（批准至生效）
contain_min|Time to contain, from declaration|遏制用时（自宣布起）
mttr|Time to restore|恢复用时
loss_before_containment|Loss before containment|遏制前损失
good_payments_blocked|Good payments blocked|误拦的正常交易
notification_lateness|Lateness of notices|通报迟延
data_lost|Data lost|数据丢失
double_decisions|Payments decided twice|重复决策的交易
unscreened_payments|Payments released unscreened|未筛查即放行的交易
accounts_recovered|Time until customers have their accounts back|客户账户恢复用时
"""

WORDS = {name: Words(en, zh) for name, en, zh in (line.split("|") for line in _TABLE.strip().splitlines())}
