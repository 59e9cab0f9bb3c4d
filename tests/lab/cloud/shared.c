/* SPDX-License-Identifier: Apache-2.0 */
/* Has libvirtd see one folder as an NFS mount. It migrates a guest live only if the guest's disks
 * are on storage that it knows as shared (virFileIsSharedFS); the lab's two hosts share a folder
 * of this machine, which is as good.
 *
 * LD_PRELOAD this, with the folder in LAB_SHARED.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#define NFS_SUPER_MAGIC 0x6969

int statfs(const char *path, struct statfs *found)
{
    static int (*real)(const char *, struct statfs *);
    const char *shared = getenv("LAB_SHARED");
    int result;

    if (!real)
        real = dlsym(RTLD_NEXT, "statfs");
    result = real(path, found);
    if (result == 0 && shared && strncmp(path, shared, strlen(shared)) == 0)
        found->f_type = NFS_SUPER_MAGIC;
    return result;
}

int statfs64(const char *path, struct statfs64 *found)
{
    return statfs(path, (struct statfs *)found);
}
