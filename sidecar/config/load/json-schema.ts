import { rootSchema } from './root-schema.ts'
import { toJsonSchema } from './shape.ts'

/** The JSON Schema of a configuration file. Top-level `x-` keys are homes for anchors and may hold anything. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = toJsonSchema(rootSchema)
  return {
    $schema,
    title: 'Outrigger configuration',
    description: 'What `outrigger run -c FILE` reads. An overlay is a part of it, without `version`.',
    ...schema,
    patternProperties: { '^x-': {} },
  }
}
