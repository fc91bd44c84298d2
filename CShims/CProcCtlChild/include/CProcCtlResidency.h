#ifndef CPROCCTL_RESIDENCY_H
#define CPROCCTL_RESIDENCY_H

// Gives back the pages of this program and its libraries that nothing has
// written to, code above all. Start-up touches far more of them than the life
// of a daemon does; what is needed again comes back from the page cache, at the
// price of a minor fault (madvise(2), MADV_DONTNEED on a private file mapping).
void procctl_release_clean_pages(void);

#endif
