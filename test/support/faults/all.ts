import { CONNECTION_FAULTS, RAW_SERVERS } from './connection.js'
import { CONTENT_FAULTS } from './content.js'
import { DOWNLOAD_FAULTS } from './download.js'
import { HEADER_FAULTS } from './headers.js'
import { STATUS_FAULTS } from './status.js'
import { TOKEN_FAULTS, TOKEN_GATES } from './token.js'
import { UPLOAD_FAULTS } from './upload.js'

/** Every fault that a faulty registry has, as docs/faults.md names them: `status/404-html`. */
export const FAULT_IDS: readonly string[] = Object.entries({
  connection: ['refused', ...Object.keys(CONNECTION_FAULTS), ...Object.keys(RAW_SERVERS)],
  status: Object.keys(STATUS_FAULTS),
  headers: Object.keys(HEADER_FAULTS),
  upload: Object.keys(UPLOAD_FAULTS),
  download: Object.keys(DOWNLOAD_FAULTS),
  token: ['wider-scope', ...Object.keys(TOKEN_FAULTS), ...Object.keys(TOKEN_GATES)],
  content: Object.keys(CONTENT_FAULTS),
}).flatMap(([family, names]) => names.map(name => `${family}/${name}`))
