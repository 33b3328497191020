// Sets the theme before the first paint, so that nothing flashes. A classic script: modules run later.
(() => {
  let theme = null;
  try { theme = localStorage.getItem('wastegate-theme'); } catch { /* storage is off: the system decides */ }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
})();
