// The users service: who the customers are. In memory; run by start.ts.
import { Refusal, serve } from './json-service.ts'

const users = new Map([
  ['1', { id: '1', name: 'Ada Byron' }],
  ['2', { id: '2', name: 'Grace Murray' }],
  ['3', { id: '3', name: 'Edsger Wybe' }],
])

serve('users', Number(process.env['USERS_PORT'] ?? 8012), {
  '/users': {
    GET: () => ({ status: 200, body: { users: [...users.values()] } }),
  },
  '/users/{id}': {
    GET: ({ id }) => {
      const user = users.get(id)
      if (user === undefined) throw new Refusal(404, `no user ${id}`)
      return { status: 200, body: user }
    },
  },
})
