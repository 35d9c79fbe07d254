import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { SettingsProvider } from './settings.tsx';
import './style/index.css';

const root = document.getElementById('root');
if (root !== null)
  createRoot(root).render(
    <SettingsProvider>
      <App />
    </SettingsProvider>,
  );
