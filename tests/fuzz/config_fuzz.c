/* node.json of the command line: read or refused with words; what is read can be written and reads the same. */
#include "fuzz.h"
#include "node/node.h"

#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char dir[200], path[260];
    th_error error = {0};
    static th_config one, two;
    snprintf(dir, sizeof dir, "%s/node", fuzz_dir());
    mkdir(dir, 0700);
    snprintf(path, sizeof path, "%s/node.json", dir);
    FILE *file = fopen(path, "we");
    MUST(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
    memset(&one, 0, sizeof one);
    th_status status = th_config_read(dir, &one, &error);
    if (status) {
        MUST(error.en[0] && error.zh[0]);
        return 0;
    }
    MUST(strlen(one.code) == 6 && one.store[0]);
    if (th_config_write(&one, &error) == TH_OK) {
        memset(&two, 0, sizeof two);
        MUST(th_config_read(dir, &two, &error) == TH_OK);
        MUST(strcmp(one.code, two.code) == 0 && strcmp(one.store, two.store) == 0 && one.portal_port == two.portal_port && one.peer_port == two.peer_port &&
             one.suite == two.suite && strcmp(one.region_dir, two.region_dir) == 0);
    }
    return 0;
}
