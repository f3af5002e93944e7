namespace Myna.Linux.Calls;

public static partial class CallTable
{
    private static CallRow[] Ipc =>
    [
        new("msgget", 186, 68, "hex oct"),
        new("msgsnd", 189, 69, "int ptr uint hex"),
        new("msgrcv", 188, 70, "int ptr uint int hex"),
        new("msgctl", 187, 71, "int int ptr"),
        new("semget", 190, 64, "hex int oct"),
        new("semop", 193, 65, "int ptr uint"),
        new("semtimedop", 192, 220, "int ptr uint ptr"),
        new("semctl", 191, 66, "int int int hex", IpcCalls.SemaphoreControl),
        new("mq_open", 180, 240, "text oflags oct ptr"),
        new("mq_unlink", 181, 241, "text"),
        new("mq_timedsend", 182, 242, "fd in:2 uint uint ptr", null, Restarts),
        new("mq_timedreceive", 183, 243, "fd out:2 uint out=4 ptr", null, Restarts),
        new("mq_notify", 184, 244, "fd ptr", IpcCalls.MessageNotify),
        new("mq_getsetattr", 185, 245, "fd ptr out=64"),
    ];

    private static CallRow[] Sockets =>
    [
        new("socket", 198, 41, "int hex int"),
        new("socketpair", 199, 53, "int hex int out=8"),
        new("bind", 200, 49, "fd ptr uint", SocketCalls.Address),
        new("listen", 201, 50, "fd int"),
        new("accept", 202, 43, "fd ptr ptr", null, Restarts),
        new("accept4", 242, 288, "fd ptr ptr oflags", null, Restarts),
        new("connect", 203, 42, "fd ptr uint", SocketCalls.Address, Restarts),
        new("getsockname", 204, 51, "fd ptr ptr"),
        new("getpeername", 205, 52, "fd ptr ptr"),
        new("sendto", 206, 44, "fd in:2 uint hex ptr uint", null, Restarts),
        new("recvfrom", 207, 45, "fd out:2 uint hex ptr ptr", null, Restarts),
        new("setsockopt", 208, 54, "fd int int ptr uint"),
        new("getsockopt", 209, 55, "fd int int ptr ptr"),
        new("shutdown", 210, 48, "fd int"),
        new("sendmsg", 211, 46, "fd ptr hex", null, Restarts),
        new("recvmsg", 212, 47, "fd out=56 hex", null, Restarts),
        new("sendmmsg", 269, 307, "fd ptr uint hex", null, Restarts),
        new("recvmmsg", 243, 299, "fd ptr uint hex ptr", null, Restarts),
    ];

    private static CallRow[] Time =>
    [
        new("time", None, 201, "out=8"),
        new("gettimeofday", 169, 96, "out=16 out=8", ClockCalls.TimeOfDay),
        new("settimeofday", 170, 164, "ptr ptr"),
        new("clock_gettime", 113, 228, "int out=16", ClockCalls.Get),
        new("clock_settime", 112, 227, "int ptr"),
        new("clock_getres", 114, 229, "int out=16"),
        new("clock_nanosleep", 115, 230, "int hex ptr out=16"),
        new("nanosleep", 101, 35, "ptr out=16"),
        new("clock_adjtime", 266, 305, "int out=208"),
        new("adjtimex", 171, 159, "out=208"),
        new("alarm", None, 37, "uint"),
        new("getitimer", 102, 36, "int out=32"),
        new("setitimer", 103, 38, "int ptr out=32"),
        new("timer_create", 107, 222, "int ptr out=4", TimeCalls.CreateTimer),
        new("timer_settime", 110, 223, "int hex ptr out=32"),
        new("timer_gettime", 108, 224, "int out=32"),
        new("timer_getoverrun", 109, 225, "int"),
        new("timer_delete", 111, 226, "int"),
    ];

    /// <summary>What there is of the machine and its kernel.</summary>
    private static CallRow[] Machine =>
    [
        new("uname", 160, 63, "out=390", SystemInformation.Name),
        new("sysinfo", 179, 99, "out=112"),
        new("syslog", 116, 103, "int ptr int"),
        new("sethostname", 161, 170, "text uint"),
        new("setdomainname", 162, 171, "text uint"),
        new("getcpu", 168, 309, "out=4 out=4 ptr"),
        new("getrandom", 278, 318, "out:1 uint hex"),
        new("riscv_hwprobe", 258, None, "ptr uint uint ptr hex", SystemInformation.HardwareProbe),
        new("reboot", 142, 169, "hex hex hex ptr", ProcessCalls.NotPermitted),
        new("kexec_load", 104, 246, "hex uint ptr hex", ProcessCalls.NotPermitted),
        new("kexec_file_load", 294, 320, "fd fd uint text hex", ProcessCalls.NotPermitted),
        new("init_module", 105, 175, "ptr uint text", ProcessCalls.NotPermitted),
        new("finit_module", 273, 313, "fd text hex", ProcessCalls.NotPermitted),
        new("delete_module", 106, 176, "text hex", ProcessCalls.NotPermitted),
        new("iopl", None, 172, "int", ProcessCalls.NotPermitted),
        new("ioperm", None, 173, "hex hex int", ProcessCalls.NotPermitted),
        new("remap_file_pages", 234, 216, "ptr uint hex uint hex", ProcessCalls.NotThere),
        new("lookup_dcookie", 18, 212, "hex ptr uint", ProcessCalls.NotThere),
        new("nfsservctl", 42, 180, "", ProcessCalls.NotThere),
        new("memfd_secret", 447, 447, "hex", ProcessCalls.NotThere),
        new("set_mempolicy_home_node", 450, 450, "ptr uint uint hex", ProcessCalls.NotThere),
        new("mseal", 462, 462, "ptr uint hex", MemoryCalls.Ranged),
    ];
}
