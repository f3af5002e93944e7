// Runs a program and writes, to a file, how it ended, its seconds of the processor and its peak memory in KiB. A small process must be the
// one that starts it: the peak that the kernel reports includes what the starting process had.
//   measure FILE PROGRAM ARGUMENT...
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words)
{
    if (count < 3)
        return 125;
    pid_t child = fork();
    if (child < 0)
        return 125;
    if (child == 0) {
        // Whoever loses patience ends this process alone.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct rlimit most = { 4ul << 30, 4ul << 30 };
        setrlimit(RLIMIT_DATA, &most);
        execv(words[2], words + 2);
        _exit(127);
    }
    int status;
    struct rusage usage;
    FILE *out = fopen(words[1], "w");
    if (wait4(child, &status, 0, &usage) < 0 || !out)
        return 125;
    double seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    fprintf(out, "%d %.6f %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), seconds, usage.ru_maxrss);
    return fclose(out) != 0;
}
