// What a process sees of itself, its threads and its children: printed natively and under Myna, and compared (ExecSystemTests).
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static pthread_mutex_t held;
static pthread_barrier_t both;

static void on_signal(int signal) { caught = signal; }
static void *holder(void *p) { pthread_mutex_lock(&held); return p; }
static void *waiter(void *p) { pthread_barrier_wait(&both); pthread_barrier_wait(&both); return p; }

static void show(const char *what, long result)
{
    printf("%s %ld (%d)\n", what, result, result < 0 ? errno : 0);
}

static int entries(const char *folder)
{
    int count = 0;
    DIR *d = opendir(folder);
    while (d && readdir(d))
        count++;
    if (d)
        closedir(d);
    return count;
}

static void line(const char *file, const char *name)
{
    char text[512];
    FILE *f = fopen(file, "r");
    while (f && fgets(text, sizeof text, f))
        if (!strncmp(text, name, strlen(name)))
            fputs(text, stdout);
    if (f)
        fclose(f);
}

static void robust(void)
{
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&held, &a);
    pthread_t t;
    pthread_create(&t, 0, holder, 0);
    pthread_join(t, 0);
    printf("robust: thread %d\n", pthread_mutex_trylock(&held));
    pthread_mutexattr_setpshared(&a, 1);
    pthread_mutex_t *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutex_init(shared, &a);
    pid_t p = fork();
    if (!p) {
        pthread_mutex_lock(shared);
        raise(SIGKILL);
    }
    waitpid(p, 0, 0);
    printf("robust: process %d\n", pthread_mutex_lock(shared));
}

static void grow(void)
{
    char *area = mmap(0, 8 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(area, 8 << 20);
    char *top = mmap(area + (8 << 20) - 4096, 4096, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
    for (int i = 1; i <= 200; i++)
        top[-4096 * i] = 1;
    puts("grown");
}

int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IOLBF, 0);
    if (argc > 1) {
        line("/proc/self/status", "SigIgn");
        return 0;
    }
    int before = entries("/proc/self/fd"), task = entries("/proc/self/task");
    int pipes[2];
    pipe(pipes);
    pthread_barrier_init(&both, 0, 2);
    pthread_t t;
    pthread_create(&t, 0, waiter, 0);
    pthread_barrier_wait(&both);
    printf("descriptors +%d threads %d of %d\n", entries("/dev/fd") - before, entries("/proc/self/task") - task, task);
    line("/proc/thread-self/status", "Threads");
    pthread_barrier_wait(&both);
    pthread_join(t, 0);
    printf("first free %d\n", dup(0) - pipes[1]);

    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, SIG_IGN);
    line("/proc/self/status", "SigCgt");
    line("/proc/self/status", "SigIgn");
    robust();

    int status = 0;
    pid_t p = syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
    if (!p)
        _exit(3);
    while (waitpid(p, &status, __WALL) < 0)
        ;
    printf("child ends with %d, status %x\n", caught, status);
    show("clone", syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
    show("private barrier", syscall(SYS_membarrier, 8, 0, 0));
    show("registered", syscall(SYS_membarrier, 16, 0, 0));
    show("private barrier", syscall(SYS_membarrier, 8, 0, 0));
    show("mlockall", mlockall(0x80));
    show("msync", msync((void *)1, 4096, MS_SYNC));
    grow();

    // A result that the kernel could not store is said once, and the call is not made again.
    struct timespec ms = { 0, 1000000 };
    char *none = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    show("read", read(open("/proc/self/cmdline", O_RDONLY), none, 16));
    show("sleep", nanosleep(&ms, 0));

    signal(SIGPIPE, SIG_IGN);
    fflush(stdout);
    execl(argv[0], argv[0], "again", (char *)0);
    return 1;
}
