// Asks for the token. It is kept for this tab only and forgotten when that is closed.

import { el } from './dom.js';

/** The form; `onToken` gets what was typed and says, as a text, why it does not do. */
export function loginForm(onToken) {
  const input = el('input', {
    id: 'token', type: 'password', autocomplete: 'current-password', required: true,
    spellcheck: 'false', 'aria-describedby': 'token-help token-problem',
  });
  const problem = el('p', { id: 'token-problem', class: 'problem', role: 'alert' });
  const form = el('form', { class: 'login' },
    el('h1', {}, 'Penstock'),
    el('label', { for: 'token' }, 'Token'),
    input,
    el('p', { id: 'token-help', class: 'hint' },
      'One of management.tokens. It stays in this tab and is forgotten with it.'),
    problem,
    el('button', { type: 'submit', class: 'primary' }, 'Sign in'));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    problem.textContent = '';
    const token = input.value.trim();
    // A header cannot carry anything else.
    problem.textContent = /^[!-~]{1,4096}$/.test(token)
      ? await onToken(token) ?? ''
      : 'a token has letters, digits and signs, without spaces';
    input.select();
  });
  return { element: el('main', { id: 'main', tabindex: '-1' }, form), focus: () => input.focus() };
}
