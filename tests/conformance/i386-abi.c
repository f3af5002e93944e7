/* Makes the system calls of i386 that have structures of their own and prints what they store: see i386-abi. */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
static void dump(const char *n, const void *p, int len, long r) {
    printf("%s r=%ld", n, r);
    const unsigned char *b = p;
    for (int i = 0; i < len; i++)
        printf("%s%02x", i % 4 ? "" : " ", b[i]);
    puts("");
    fflush(stdout);
}
/* Without padding, inode numbers and the time of the last change, which differ from run to run. */
static void dump_stat(const char *n, unsigned char *b, long r) {
    memset(b + 8, 0, 8);
    memset(b + 40, 0, 4);
    memset(b + 80, 0, 16);
    dump(n, b, 96, r);
}
static volatile sig_atomic_t got;
static siginfo_t gi;
static greg_t regs[NGREG];
static int nested;
static void h(int s, siginfo_t *i, void *u) {
    got = s;
    gi = *i;
    ucontext_t *c = u;
    memcpy(regs, c->uc_mcontext.gregs, sizeof regs);
    double d = 3.5;
    asm volatile("fninit; fldpi; fldl %0" ::"m"(d));
}
static void seg(int s, siginfo_t *i, void *u) {
    ucontext_t *c = u;
    printf("segv sig %d code %d addr %p trapno %d err %d cs %x ss %x ds %x fp cw %lx tag %lx\n", s, i->si_code, i->si_addr,
           c->uc_mcontext.gregs[REG_TRAPNO], c->uc_mcontext.gregs[REG_ERR], c->uc_mcontext.gregs[REG_CS], c->uc_mcontext.gregs[REG_SS],
           c->uc_mcontext.gregs[REG_DS], c->uc_mcontext.fpregs->cw, c->uc_mcontext.fpregs->tag);
    c->uc_mcontext.gregs[REG_EIP] = c->uc_mcontext.gregs[REG_ECX];
}
static void oldh(int s) {
    nested++;
    got = s;
}
int main(void) {
    unsigned char b[512];
    long r;
    int fd;
#define Z memset(b, 0xAA, sizeof b)
    char path[] = "./file";
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_LARGEFILE, 0640);
    write(fd, "hello world", 11);
    struct timespec ts2[2] = {{100000, 5000}, {200000, 7000}};
    futimens(fd, ts2);
    Z;
    r = syscall(SYS_stat64, path, b);
    dump_stat("stat64", b, r);
    Z;
    r = syscall(SYS_fstat64, fd, b);
    memset(b + 72, 0, 8);
    dump_stat("fstat64", b, r);
    Z;
    r = syscall(SYS_stat, "/dev/null", b);
    dump("stat", b + 8, 12, r);
    Z;
    r = syscall(SYS_statfs64, "/", 84, b);
    memset(b + 8, 0, 40);
    dump("statfs64", b, 96, r);
    Z;
    r = syscall(SYS_statfs64, "/", 88, b);
    dump("statfs64/88", b, 4, r);
    Z;
    r = syscall(SYS_statfs, "/proc", b);
    dump("statfs", b, 72, r);
    long long pos = 0;
    r = syscall(SYS__llseek, fd, 1, 5, &pos, SEEK_SET);
    dump("llseek", &pos, 8, r);
    syscall(SYS__llseek, fd, 0, 5, &pos, SEEK_SET);
    r = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    printf("lseek %ld %d\n", r, errno);
    r = syscall(SYS_lseek, fd, -2, SEEK_END);
    printf("lseek %ld\n", r);
    Z;
    r = syscall(SYS_pread64, fd, b, 5, 6, 0);
    dump("pread", b, 8, r);
    r = syscall(SYS_ftruncate64, fd, 20, 1);
    printf("ftruncate %ld\n", r);
    Z;
    r = syscall(SYS_fstat64, fd, b);
    dump("size", b + 44, 8, r);
    ftruncate(fd, 20);
    r = syscall(SYS_fallocate, fd, 0, 0, 0, 4096, 0);
    printf("fallocate %ld\n", r);
    struct flock64 fl = {F_WRLCK, SEEK_SET, 0x1000000000LL, 0x10, 0};
    r = syscall(SYS_fcntl64, fd, 13, &fl);
    printf("setlk64 %ld\n", r);
    if (!fork()) {
        struct flock64 g = {F_RDLCK, SEEK_SET, 0, 0, 0};
        r = syscall(SYS_fcntl64, fd, 12, &g);
        printf("getlk64 %ld type %d start %llx len %llx pid ok %d\n", r, g.l_type, (long long)g.l_start, (long long)g.l_len, g.l_pid == getppid());
        struct {
            short t, w;
            int s, l, p;
        } o = {F_WRLCK, 0, 0, 10, 0};
        r = syscall(SYS_fcntl, fd, 5, &o);
        printf("getlk %ld type %d\n", r, o.t);
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    struct iovec iv[2] = {{"ab", 2}, {"cde", 3}};
    r = syscall(SYS_pwritev, fd, iv, 2, 3, 0);
    printf("pwritev %ld\n", r);
    char x[3], y[4];
    struct iovec rv[2] = {{x, 3}, {y, 4}};
    r = syscall(SYS_preadv, fd, rv, 2, 1, 0);
    printf("preadv %ld %.3s %.4s\n", r, x, y);
    long off = 2;
    int p[2];
    pipe(p);
    r = syscall(SYS_sendfile, p[1], fd, &off, 5);
    printf("sendfile %ld off %ld\n", r, off);
    read(p[0], b, 5);
    // times
    struct {
        int s, n;
    } t32 = {0, 1000}, rem = {7, 7};
    r = syscall(SYS_nanosleep, &t32, &rem);
    printf("nanosleep %ld %d\n", r, rem.s);
    r = syscall(SYS_clock_gettime, CLOCK_REALTIME, &t32);
    printf("clock %ld %d\n", r, t32.s > 1600000000);
    r = syscall(SYS_clock_getres, CLOCK_MONOTONIC, &t32);
    printf("res %ld %d %d\n", r, t32.s, t32.n);
    struct {
        long long s;
        long long n;
    } t64;
    r = syscall(SYS_clock_gettime64, CLOCK_REALTIME, &t64);
    printf("clock64 %ld %d\n", r, t64.s > 1600000000);
    int tm;
    r = syscall(SYS_time, &tm);
    printf("time %d\n", r == tm && r > 1600000000);
    struct {
        int s, u;
    } tv;
    r = syscall(SYS_gettimeofday, &tv, 0);
    printf("tod %ld %d\n", r, tv.s > 1600000000);
    r = syscall(SYS_times, b);
    printf("times %d\n", r != -1);
    struct {
        int a[4];
    } it = {{0, 0, 5, 0}}, io;
    r = syscall(SYS_setitimer, 0, &it, 0);
    Z;
    r = syscall(SYS_getitimer, 0, &io);
    printf("itimer %ld %d %d\n", r, io.a[0], io.a[2]);
    it.a[2] = 0;
    syscall(SYS_setitimer, 0, &it, 0);
    int tf = timerfd_create(CLOCK_MONOTONIC, 0);
    struct {
        int a[4];
    } its = {{1, 2, 100, 4}};
    r = syscall(SYS_timerfd_settime, tf, 0, &its, 0);
    r = syscall(SYS_timerfd_gettime, tf, &io);
    printf("timerfd %ld %d %d %d\n", r, io.a[0], io.a[1], io.a[2]);
    r = syscall(SYS_utimensat, AT_FDCWD, path, (int[]){11, 22, 33, 44}, 0);
    Z;
    syscall(SYS_stat64, path, b);
    dump("utimensat", b + 64, 16, r);
    r = syscall(SYS_utimes, path, (int[]){55, 66, 77, 88});
    syscall(SYS_stat64, path, b);
    dump("utimes", b + 64, 16, r);
    r = syscall(SYS_utime, path, (int[]){551, 661});
    syscall(SYS_stat64, path, b);
    dump("utime", b + 64, 16, r);
    // select, poll
    fd_set fs;
    FD_ZERO(&fs);
    FD_SET(p[0], &fs);
    write(p[1], "z", 1);
    int tvs[2] = {3, 0};
    r = syscall(SYS__newselect, p[0] + 1, &fs, 0, 0, tvs);
    printf("select %ld %d left %d\n", r, FD_ISSET(p[0], &fs), tvs[0] >= 2);
    int five[5] = {p[0] + 1, (int)&fs, 0, 0, (int)tvs};
    r = syscall(SYS_select, five);
    printf("oldselect %ld\n", r);
    sigset_t em;
    sigemptyset(&em);
    struct {
        void *m;
        int n;
    } pm = {&em, 8};
    int ts3[2] = {0, 1000};
    r = syscall(SYS_pselect6, p[0] + 1, &fs, 0, 0, ts3, &pm);
    printf("pselect %ld\n", r);
    struct pollfd pf = {p[0], POLLIN, 0};
    r = syscall(SYS_ppoll, &pf, 1, ts3, &em, 8);
    printf("ppoll %ld %x\n", r, pf.revents);
    r = poll(&pf, 1, 0);
    printf("poll %ld\n", r);
    int ep = epoll_create1(0);
    struct epoll_event ev = {EPOLLIN, {.u64 = 0x1122334455667788ULL}};
    epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev);
    memset(&ev, 0, sizeof ev);
    r = epoll_wait(ep, &ev, 1, 100);
    printf("epoll %ld %x %llx\n", r, ev.events, (long long)ev.data.u64);
    // processes
    struct rusage ru;
    pid_t c = fork();
    if (!c)
        _exit(9);
    int st;
    Z;
    r = syscall(SYS_wait4, c, &st, 0, &ru);
    printf("wait4 %d %x %d\n", r == c, st, ru.ru_maxrss > 0);
    c = fork();
    if (!c) {
        raise(SIGKILL);
    }
    Z;
    r = syscall(SYS_waitid, P_PID, c, b, WEXITED, &ru);
    int *w = (int *)b;
    printf("waitid %ld %d %d %d pid %d uid %d st %d\n", r, w[0], w[1], w[2], w[3] == c, w[4], w[5]);
    r = getrusage(RUSAGE_SELF, &ru);
    printf("rusage %ld %d\n", r, ru.ru_maxrss > 0);
    unsigned lim[2];
    r = syscall(SYS_ugetrlimit, RLIMIT_CORE, lim);
    printf("rlimit %ld %x %x\n", r, lim[0], lim[1]);
    r = syscall(SYS_getrlimit, RLIMIT_CPU, lim);
    printf("oldrlimit %ld %x %x\n", r, lim[0], lim[1]);
    struct sysinfo si;
    r = sysinfo(&si);
    printf("sysinfo %ld %d unit %d procs %d\n", r, si.totalram > 0, si.mem_unit, si.procs > 0);
    Z;
    r = syscall(SYS_sched_getaffinity, 0, 4, b);
    printf("aff %ld %x\n", r, b[0]);
    r = syscall(SYS_sched_setaffinity, 0, 4, b);
    printf("setaff %ld\n", r);
    printf("uid16 %ld %ld\n", syscall(SYS_getuid), syscall(SYS_getgid));
    unsigned short gr[64];
    r = syscall(SYS_getgroups, 64, gr);
    printf("groups %ld\n", r);
    // sockets
    int sv[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    char cb[64];
    struct iovec miv = {"data", 4};
    struct msghdr m = {0};
    m.msg_iov = &miv;
    m.msg_iovlen = 1;
    m.msg_control = cb;
    m.msg_controllen = CMSG_SPACE(8);
    struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
    cm->cmsg_level = SOL_SOCKET;
    cm->cmsg_type = SCM_RIGHTS;
    cm->cmsg_len = CMSG_LEN(8);
    ((int *)CMSG_DATA(cm))[0] = fd;
    ((int *)CMSG_DATA(cm))[1] = p[0];
    int on = 1;
    setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    r = sendmsg(sv[0], &m, 0);
    printf("sendmsg %ld\n", r);
    char rb[10];
    char rc[100];
    miv.iov_base = rb;
    miv.iov_len = 10;
    m.msg_controllen = sizeof rc;
    m.msg_control = rc;
    r = recvmsg(sv[1], &m, 0);
    printf("recvmsg %ld ctl %u flags %x\n", r, (unsigned)m.msg_controllen, m.msg_flags);
    for (cm = CMSG_FIRSTHDR(&m); cm; cm = CMSG_NXTHDR(&m, cm))
        printf("cmsg %d %d len %u\n", cm->cmsg_level, cm->cmsg_type, (unsigned)cm->cmsg_len);
    write(sv[0], "q", 1);
    m.msg_controllen = 10;
    r = recvmsg(sv[1], &m, 0);
    printf("trunc %ld %u %x\n", r, (unsigned)m.msg_controllen, m.msg_flags);
    struct timeval tmo = {2, 500000};
    r = setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tmo, sizeof tmo);
    socklen_t sl = sizeof tmo;
    memset(&tmo, 0, sizeof tmo);
    r = getsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tmo, &sl);
    printf("rcvtimeo %ld %ld %ld len %d\n", r, (long)tmo.tv_sec, (long)tmo.tv_usec, sl);
    struct mmsghdr mm[2] = {{.msg_hdr = {.msg_iov = (struct iovec[]){{"one", 3}}, .msg_iovlen = 1}},
                            {.msg_hdr = {.msg_iov = (struct iovec[]){{"three", 5}}, .msg_iovlen = 1}}};
    int dg[2];
    socketpair(AF_UNIX, SOCK_DGRAM, 0, dg);
    r = sendmmsg(dg[0], mm, 2, 0);
    printf("sendmmsg %ld %d %d\n", r, mm[0].msg_len, mm[1].msg_len);
    char q1[9], q2[9];
    mm[0].msg_hdr.msg_iov = (struct iovec[]){{q1, 9}};
    mm[1].msg_hdr.msg_iov = (struct iovec[]){{q2, 9}};
    r = recvmmsg(dg[1], mm, 2, 0, 0);
    printf("recvmmsg %ld %d %d\n", r, mm[0].msg_len, mm[1].msg_len);
    r = syscall(SYS_socketcall, 1, (long[]){AF_INET, SOCK_DGRAM, 0});
    printf("socketcall %d\n", r > 0);
    // IPC
    int sh = shmget(IPC_PRIVATE, 8192, 0600);
    struct shmid_ds sd;
    memset(&sd, 0, sizeof sd);
    char *at = shmat(sh, 0, 0);
    at[5] = 1;
    r = shmctl(sh, IPC_STAT, &sd);
    printf("shm %ld size %d nattch %d mode %o\n", r, (int)sd.shm_segsz, (int)sd.shm_nattch, sd.shm_perm.mode);
    shmdt(at);
    shmctl(sh, IPC_RMID, 0);
    int se = semget(IPC_PRIVATE, 3, 0600);
    union {
        int val;
        struct semid_ds *buf;
        unsigned short *a;
    } su;
    su.val = 5;
    r = semctl(se, 1, SETVAL, su);
    printf("setval %ld get %d\n", r, semctl(se, 1, GETVAL));
    struct semid_ds sem;
    su.buf = &sem;
    r = semctl(se, 0, IPC_STAT, su);
    printf("sem %ld nsems %d mode %o\n", r, (int)sem.sem_nsems, sem.sem_perm.mode);
    struct sembuf sb = {1, -2, 0};
    r = semop(se, &sb, 1);
    printf("semop %ld %d\n", r, semctl(se, 1, GETVAL));
    struct timespec sts = {0, 1000};
    sb.sem_op = -9;
    r = semtimedop(se, &sb, 1, &sts);
    printf("semtimedop %ld %d\n", r, errno);
    semctl(se, 0, IPC_RMID);
    int mq = msgget(IPC_PRIVATE, 0600);
    struct {
        long t;
        char d[20];
    } mb = {77, "message"};
    r = msgsnd(mq, &mb, 8, 0);
    struct msqid_ds md;
    int r2 = msgctl(mq, IPC_STAT, &md);
    printf("msgsnd %ld stat %d qnum %d cbytes %d qbytes %d\n", r, r2, (int)md.msg_qnum, (int)md.__msg_cbytes, (int)md.msg_qbytes);
    memset(&mb, 0, sizeof mb);
    r = msgrcv(mq, &mb, 20, 0, 0);
    printf("msgrcv %ld %ld %s\n", r, mb.t, mb.d);
    msgctl(mq, IPC_RMID, 0);
    struct mq_attr ma = {0, 4, 32, 0};
    mqd_t mqd = mq_open("/myna-i386-abi", O_RDWR | O_CREAT, 0600, &ma);
    memset(&ma, 0, sizeof ma);
    r = mq_getattr(mqd, &ma);
    printf("mq %ld %ld %ld\n", r, ma.mq_maxmsg, ma.mq_msgsize);
    mq_send(mqd, "x", 1, 3);
    unsigned pr;
    char mqb[32];
    r = mq_receive(mqd, mqb, 32, &pr);
    printf("mqr %ld %u\n", r, pr);
    mq_unlink("/myna-i386-abi");
    // signals
    struct sigaction sa = {0};
    sa.sa_sigaction = h;
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGUSR1, &sa, 0);
    sigaction(SIGRTMIN + 1, &sa, 0);
    double keep;
    asm volatile("fninit; fld1");
    kill(getpid(), SIGUSR1);
    asm volatile("fstpl %0" : "=m"(keep));
    printf("usr1 %d code %d pid %d fpu %g gs %x\n", got, gi.si_code, gi.si_pid == getpid(), keep, regs[REG_GS] & 7);
    union sigval val = {.sival_int = 4711};
    sigqueue(getpid(), SIGRTMIN + 1, val);
    printf("rt %d code %d val %d\n", got - SIGRTMIN, gi.si_code, gi.si_value.sival_int);
    timer_t tid;
    struct sigevent se2 = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 99};
    r = timer_create(CLOCK_MONOTONIC, &se2, &tid);
    struct itimerspec tsp = {{0, 0}, {0, 1000000}};
    got = 0;
    timer_settime(tid, 0, &tsp, 0);
    while (!got)
        pause();
    printf("timer %ld %d code %d val %d\n", r, got - SIGRTMIN, gi.si_code, gi.si_value.sival_int);
    sa.sa_sigaction = seg;
    sigaction(SIGSEGV, &sa, 0);
    sigaction(SIGBUS, &sa, 0);
    sigaction(SIGFPE, &sa, 0);
    sigaction(SIGILL, &sa, 0);
    sigaction(SIGTRAP, &sa, 0);
    asm volatile("fninit; fldpi; mov $1f, %%ecx; movl $5, 0x1234; 1: fstp %%st(0)" ::: "ecx", "memory");
    asm volatile("mov $1f, %%ecx; int $0x21; 1:" ::: "ecx", "memory");
    asm volatile("mov $1f, %%ecx; hlt; 1:" ::: "ecx", "memory");
    asm volatile("mov $1f, %%ecx; ud2; 1:" ::: "ecx", "memory");
    asm volatile("mov $1f, %%ecx; xor %%edx, %%edx; xor %%eax, %%eax; div %%eax; 1:" ::: "eax", "edx", "ecx", "memory");
    asm volatile("mov $1f, %%ecx; int3; 1:" ::: "ecx", "memory");
    asm volatile("mov $1f, %%ecx; int $4; 1:" ::: "ecx", "memory");
    asm volatile("mov $1f, %%ecx; mov $0xffffffff, %%eax; movl (%%eax), %%eax; 1:" ::: "eax", "ecx", "memory");
    asm volatile("mov $1f, %%ecx; mov $0x1000, %%eax; call *%%eax; 1:" ::: "eax", "ecx", "memory");
    struct {
        void *h;
        unsigned long mask, flags;
        void *rest;
    } ks = {oldh, 0, 0, 0}, ko;
    r = syscall(SYS_sigaction, SIGUSR2, &ks, &ko);
    printf("sigaction %ld %p\n", r, ko.h);
    got = 0;
    kill(getpid(), SIGUSR2);
    printf("old frame %d %d\n", got, nested);
    r = syscall(SYS_sigaction, SIGUSR2, 0, &ko);
    printf("old back %ld %d %lx\n", r, ko.h == oldh, ko.flags);
    unsigned long om = 1 << (SIGUSR2 - 1), oo;
    r = syscall(SYS_sigprocmask, SIG_BLOCK, &om, &oo);
    kill(getpid(), SIGUSR2);
    r = syscall(SYS_sigpending, &oo);
    printf("pending %ld %lx nested %d\n", r, oo, nested);
    r = syscall(SYS_sigprocmask, SIG_SETMASK, &(unsigned long){0}, 0);
    printf("nested %d\n", nested);
    stack_t ss = {malloc(65536), 0, 65536}, os;
    r = sigaltstack(&ss, &os);
    printf("altstack %ld %d %d\n", r, os.ss_flags, (int)os.ss_size);
    sigaltstack(0, &os);
    printf("alt %d\n", os.ss_sp == ss.ss_sp && os.ss_size == 65536);
    sigset_t ws;
    sigemptyset(&ws);
    sigaddset(&ws, SIGUSR1);
    sigprocmask(SIG_BLOCK, &ws, 0);
    kill(getpid(), SIGUSR1);
    siginfo_t wi;
    memset(&wi, 0, sizeof wi);
    r = sigtimedwait(&ws, &wi, &(struct timespec){1, 0});
    printf("sigtimedwait %ld %d\n", r, wi.si_pid == getpid());
    // segments
    static int tlsword = 0x5eed;
    struct user_desc ud = {-1, (unsigned)&tlsword, 0xfffff, 1, 0, 0, 1, 0, 1};
    r = syscall(SYS_set_thread_area, &ud);
    int v;
    asm volatile("mov %1, %%fs; mov %%fs:0, %0; xor %%ecx,%%ecx; mov %%ecx, %%fs" : "=r"(v) : "r"(ud.entry_number * 8 + 3) : "ecx");
    printf("tls %ld entry %d val %x\n", r, ud.entry_number, v);
    r = syscall(SYS_get_thread_area, &ud);
    printf("get %ld %x %d\n", r, ud.limit, ud.base_addr == (unsigned)&tlsword);
    struct user_desc ld = {3, (unsigned)&tlsword, 0xfffff, 1, 0, 0, 1, 0, 1};
    r = syscall(SYS_modify_ldt, 1, &ld, sizeof ld);
    asm volatile("mov %1, %%fs; mov %%fs:0, %0; xor %%ecx,%%ecx; mov %%ecx, %%fs" : "=r"(v) : "r"(3 * 8 + 7) : "ecx");
    printf("ldt %ld val %x\n", r, v);
    int cs, ds, gs;
    asm("mov %%cs,%0; mov %%ds,%1; mov %%gs,%2" : "=r"(cs), "=r"(ds), "=r"(gs));
    printf("cs %x ds %x gs %x\n", cs, ds, gs);
    int ok, lim2;
    asm("lsl %2,%1; setz %b0" : "=q"(ok), "=r"(lim2) : "r"(ds));
    printf("lsl %d %x\n", ok & 1, lim2);
    void *om1 = (void *)syscall(SYS_mmap, (unsigned[]){0, 4096, 3, 0x22, -1, 0});
    printf("oldmmap %d\n", om1 != MAP_FAILED);
    r = (long)mmap64(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    printf("mmap2 %d\n", r != -1 && *(char *)r == 'h');
    r = (long)mmap((void *)0xffffe000, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("mmap high %d\n", (int)(r == -1 ? errno : 0));
    char d[4096];
    int dn = syscall(SYS_getdents, open("/proc/self/ns", O_RDONLY), d, sizeof d);
    printf("getdents %d", dn);
    for (int i = 0; i < dn;) {
        struct {
            unsigned long ino, off;
            unsigned short len;
            char n[];
        } *e = (void *)(d + i);
        printf(" %s:%d:%d", e->n, e->len, d[i + e->len - 1]);
        i += e->len;
    }
    puts("");
    extern char **environ;
    r = syscall(999);
    printf("nosys %ld %d\n", r, errno);
    printf("pers %lx\n", syscall(SYS_personality, 0xffffffff));
    // sixth argument by vsyscall, and sysenter itself
    unsigned sysinfo_;
    asm("mov %%gs:0x10, %0" : "=r"(sysinfo_));
    void *mp;
    asm volatile("push %%ebp; push %%ebx; mov $0, %%ebx; mov $4096, %%ecx; mov $1, %%edx; mov $2, %%esi; mov %2, %%edi; mov $0, %%ebp; call "
                 "*%%gs:0x10; pop %%ebx; pop %%ebp"
                 : "=a"(mp)
                 : "0"(192), "m"(fd)
                 : "ecx", "edx", "esi", "edi", "memory");
    printf("vsyscall mmap %d\n", *(char *)mp == 'h');
    int pidv;
    asm volatile("call *%%gs:0x10" : "=a"(pidv) : "0"(20));
    printf("vsyscall %d\n", pidv == getpid());
    unlink(path);
    fflush(stdout);
    char *av[] = {"sh", "-c", "echo exec $0 $X", "arg", 0}, *env[] = {"X=env", 0};
    syscall(SYS_execve, "/bin/sh", av, env);
    return 1;
}
