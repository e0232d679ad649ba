// Words around the steps of a case; the steps themselves come with their words from the region's rows.
export const steps = {
  'consults.title': ['征求意见', 'Asked of us'],
  'consults.lead': ['别的地方办件时征求本部门的意见；答复会回到那一件，对方等着它。', 'Other administrations ask for this office’s opinion; the answer goes back to the case, which waits for it.'],
  'consults.none': ['现在没有人征求意见', 'Nobody asks anything now'],
  'consults.answer': ['答复', 'Answer'],
  'consults.answered': ['已答复', 'Answered'],
  'consults.done': ['答复已送出', 'The answer is on its way'],
  'consults.agree': ['同意', 'Agreed'],
  'consults.disagree': ['不同意', 'Disagreed'],
  'law': ['依据：{law}', 'Under: {law}'],
  'caution': ['有核验结果不是“一致”，请先看清再决定。', 'Not everything verified matches. Look before you decide.'],
  'withdraw.text': ['撤回后不再办理，已有的核验记录会保留。以后可以重新申请。', 'It will not be decided. Records of what was verified remain. You may apply again.'],
  'more': ['其他操作', 'Other steps'],
  'none': ['现在没有需要您做的', 'Nothing for you to do now'],
  'done': ['已完成：{step}', '{step}: done'],
} as const
