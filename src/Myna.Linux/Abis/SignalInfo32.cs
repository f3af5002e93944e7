namespace Myna.Linux.Abis;

/// <summary>siginfo_t of 32-bit ABIs (asm-generic/siginfo.h): what follows si_code begins at 12 there, at 16 on the host.</summary>
internal static class SignalInfo32
{
    public const int Size = 128;

    private const int Code = 8, Narrow = 12;
    private const int SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11, SIGCHLD = 17, SIGPOLL = 29, SIGSYS = 31;
    private const int SI_KERNEL = 0x80, SI_SIGIO = -5, SI_TKILL = -6;

    // Fields as (offset on the host, offset in the narrow structure), each of four bytes: the low half of what is a pointer or a long there.
    private static readonly (byte Host, byte Guest)[] s_two = [(16, 12), (20, 16)], s_three = [(16, 12), (20, 16), (24, 20)], s_pointer = [(16, 12), (24, 16)],
        s_child = [(16, 12), (20, 16), (24, 20), (32, 24), (40, 28)], s_call = [(16, 12), (24, 16), (28, 20)];

    private static (byte Host, byte Guest)[] Fields(int signal, int code) => code switch
    {
        > 0 and < SI_KERNEL => signal switch
        {
            SIGILL or SIGTRAP or SIGBUS or SIGFPE or SIGSEGV or SIGPOLL => s_pointer,
            SIGCHLD => s_child,
            SIGSYS => s_call,
            _ => s_two,
        },
        SI_SIGIO => s_pointer,
        0 or SI_KERNEL or SI_TKILL => s_two,
        _ => s_three,
    };

    /// <param name="host">siginfo_t of the host, with the guest's signal number.</param>
    /// <param name="to">At least 128 bytes.</param>
    public static void FromHost(ReadOnlySpan<byte> host, Span<byte> to)
    {
        to[..Size].Clear();
        host[..Narrow].CopyTo(to);
        foreach ((byte from, byte at) in Fields(BitConverter.ToInt32(host), BitConverter.ToInt32(host[Code..])))
            host.Slice(from, 4).CopyTo(to[at..]);
    }

    /// <summary>The reverse.</summary>
    public static void ToHost(ReadOnlySpan<byte> guest, Span<byte> host)
    {
        host[..Size].Clear();
        guest[..Narrow].CopyTo(host);
        foreach ((byte to, byte at) in Fields(BitConverter.ToInt32(guest), BitConverter.ToInt32(guest[Code..])))
            guest.Slice(at, 4).CopyTo(host[to..]);
    }
}
