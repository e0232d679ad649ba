// Words around the steps of a case; the steps themselves come with their words from the region's rows.
export const steps = {
  'law': ['依据：{law}', 'Under: {law}'],
  'caution': ['有核验结果不是“一致”，请先看清再决定。', 'Not everything verified matches. Look before you decide.'],
  'withdraw.text': ['撤回后不再办理，已有的核验记录会保留。以后可以重新申请。', 'It will not be decided. Records of what was verified remain. You may apply again.'],
  'more': ['其他操作', 'Other steps'],
  'none': ['现在没有需要您做的', 'Nothing for you to do now'],
  'done': ['已完成：{step}', 'Done: {step}'],
} as const
