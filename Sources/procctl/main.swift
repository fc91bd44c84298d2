internal import CProcCtl
internal import Glibc

// A closed standard descriptor would be given to the first file we open, and the
// command would then write its output into that. /dev/null takes the place.
StandardDescriptors.fillGaps()
// Inherited as ignored, it would make the kernel discard the status of every child.
signal(SIGCHLD, SIG_DFL)
exit(CommandLineEntry.execute(CommandLineBytes.current()))
