import { commands } from '@oclif/plugin-help'

/** oclif's own. Here rather than among its plugins, it is loaded only when used, and no start looks for plugins. */
export default class Help extends commands.help {
  static override summary = 'Show what commands there are, or how one is used'

  static override description = 'The same is shown by `--help`.'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> push',
  ]
}
