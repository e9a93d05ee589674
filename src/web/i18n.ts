/** Danish and English; which one is remembered in this browser, and otherwise its own wish. */
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { da } from './texts/da.js';
import { en } from './texts/en.js';

export const languages = { da: 'Dansk', en: 'English' } as const;
export type Language = keyof typeof languages;

const remembered = 'language';
const isLanguage = (text: string | null | undefined): text is Language => text === 'da' || text === 'en';

function firstLanguage(): Language {
  const chosen = localStorage.getItem(remembered);
  if (isLanguage(chosen)) return chosen;
  // Norwegian and Swedish readers are nearer to Danish than to English only by a guess: just what is asked for counts.
  const wished = navigator.languages.map((tag) => tag.slice(0, 2)).find(isLanguage);
  return wished ?? 'en';
}

export async function startLanguages(): Promise<void> {
  i18next.on('languageChanged', (language) => {
    document.documentElement.lang = language;
  });
  await i18next.use(initReactI18next).init({
    lng: firstLanguage(),
    fallbackLng: 'en',
    resources: { en: { translation: en }, da: { translation: da } },
    // React escapes what it shows.
    interpolation: { escapeValue: false },
  });
}

export async function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(remembered, language);
  await i18next.changeLanguage(language);
}
