internal import CProcCtl
internal import Glibc

// A closed standard descriptor would be given to the first file we open, and the
// command would then write its output into that. /dev/null takes the place.
StandardDescriptors.fillGaps()
exit(CommandLineEntry.execute(CommandLineBytes.current()))
