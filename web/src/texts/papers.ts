export const papers = {
  'title': ['材料', 'Papers'],
  'choose': ['选择文件', 'Choose a file'],
  'text': ['PDF、JPEG、PNG 或 OFD，每份不超过 50 MB。断线后从断点继续。', 'PDF, JPEG, PNG or OFD, 50 MB at most. A broken connection goes on where it stopped.'],
  'kind': ['只收 PDF、JPEG、PNG、OFD', 'Only PDF, JPEG, PNG and OFD are taken'],
  'large': ['文件有 {size}，超过 50 MB', 'The file has {size}, more than 50 MB'],
  'empty': ['文件是空的', 'The file is empty'],
  'done': ['已收到：{name}', 'Received: {name}'],
  'sending': ['正在上传{name}', 'Sending {name}'],
  'later': ['先办，{n} 个工作日内补交', 'Send it within {n} working {n|day|days}'],
  'deferred': ['容缺受理，稍后补交', 'Let follow later'],
  'coming': ['正从受理地取来', 'On its way from where it was handed in'],
  'if-any': ['有就上传，没有可以不交', 'Upload it if you have it'],
} as const
