/** The flags that say how the moving of an image is shown. */
export interface DisplayFlags {
  progress: 'auto' | 'tty' | 'plain' | 'json' | 'none'
  quiet: boolean
  json: boolean
}
