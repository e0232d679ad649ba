/* main.c — reads the words, runs the verb. */
#include "node/cmd.h"

#include <sys/stat.h>

int main(int argc, char **argv)
{
    th_args args;
    umask(077); /* stores, exports and backups are nobody else's to read; what may be read says so itself */
    int bad = th_args_read(argc - 1, argv + 1, &args);
    if (bad)
        return bad;
    if (!args.verb) /* --help, of everything or of a group such as `region` */
        return th_help(&args, argc > 1 && argv[1][0] != '-' ? argv[1] : NULL);
    if (args.help)
        return th_help(&args, NULL);
    th_status status = th_crypto_start();
    return status ? th_cmd_failed(&args, status, NULL) : args.verb->run(&args);
}
