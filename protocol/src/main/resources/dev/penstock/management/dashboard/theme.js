// Light or dark: as the system says, until somebody says otherwise here.

import { el } from './dom.js';

const KEY = 'penstock.theme';
const CHOICES = { auto: 'Theme: system', light: 'Theme: light', dark: 'Theme: dark' };

function chosen() {
  const value = localStorage.getItem(KEY);
  return value !== null && Object.hasOwn(CHOICES, value) ? value : 'auto';
}

function apply(choice) {
  if (choice === 'auto') {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = choice;
  }
}

/** The switch; what was chosen last time holds at once. */
export function themeSwitch() {
  apply(chosen());
  const options = Object.entries(CHOICES).map(([value, label]) =>
    el('option', { value, selected: value === chosen() }, label));
  const select = el('select', { id: 'theme', 'aria-label': 'Theme' }, ...options);
  select.addEventListener('change', () => {
    localStorage.setItem(KEY, select.value);
    apply(select.value);
  });
  return select;
}
