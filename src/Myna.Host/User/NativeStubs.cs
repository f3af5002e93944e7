using System.Runtime.InteropServices;

namespace Myna.Host.User;

/// <summary>
/// Routines in machine code that C# cannot be: signal handlers, system calls that a signal ends without a gap, memory accesses
/// that may fault. Their source is NativeStubs.s; a test assembles it and compares.
/// </summary>
internal static unsafe class NativeStubs
{
    /// <summary>The routines, as assembled at address 0.</summary>
    internal const string Code =
        "B80F0000000F05660F1F840000000000837E08007E6A488B82A8000000483B05DC0F00007226483B" +
        "05DB0F0000731D488B4A7848030DDE0F0000488901488B05CC0F0000488982A8000000C3488D0D8D" +
        "0100004839C87214488D0DB10200004839C8730848898AA8000000C3488D058D11000089F8488D0D" +
        "84110000FF24C1904889E048250000FFFF483B05900F0000727E483B058F0F0000737583FF057506" +
        "83780C00752D4989F8488D7810B910000000F348A544894008488B084885C97404F0830940488B0D" +
        "740F000048898A28010000488B8AA8000000488D058A0000004839C1721A488D05870000004839C1" +
        "730E488D05BA000000488982A8000000C366662E0F1F8400000000000F1F4000488B0D290F000048" +
        "898A280100004989F289FA488B3D060F0000488B35070F0000B8290100000F05C30F1F8000000000" +
        "5341544889FB488B06488B7E08488B56184C8B56204C8B46284C8B4E30488B7610C783C000000001" +
        "00000048837B080075410F054989C431C9878BC0000000833DFA0E00000075074C89E0415C5BC3C7" +
        "83C000000001000000488D3DE00E000031F6BA010000004531D2B8CA0000000F05EBC448C7C000FE" +
        "FFFFEBB80F1F4000488B07488B7710488B57184C8B57204C8B47284C8B4F30488B7F080F05C36690" +
        "4889D1F3A44889C8C30F1F8000000000B9010000000FB60748890631C0C36690B9010000000FB707" +
        "48890631C0C36690B9010000008B0748890631C0C30F1F00B901000000488B0748890631C0C36690" +
        "B90100000040883731C0C30F1F440000B90100000066893731C0C30F1F440000B901000000893731" +
        "C0C3660F1F440000B90100000048893731C0C30F1F440000B901000000488B06F00FB0170FB6C048" +
        "890631C0C366662E0F1F840000000000B901000000488B0666F00FB1170FB7C048890631C0C3662E" +
        "0F1F840000000000B901000000488B06F00FB11789C048890631C0C366662E0F1F84000000000090" +
        "B901000000488B06F0480FB11748890631C0C366662E0F1F8400000000006690B9010000000F1007" +
        "0F110631C0C36690B9010000000F10060F110731C0C366904889C8C366662E0F1F84000000000090" +
        "488B0D190D000048898A28010000C3";

    // Offsets of routines.
    private const int RestorerAt = 0x0, FaultAt = 0x10, RecordAt = 0x80, InterruptibleAt = 0x140, PlainAt = 0x1C0, CopyAt = 0x1E0,
        LoadAt = 0x1F0, StoreAt = 0x230, ExchangeAt = 0x270, Load16At = 0x2F0, Store16At = 0x300, BlockAt = 0x320;
    private const int LoadSize = 16, ExchangeSize = 32;

    // Offsets in the data behind the code.
    private const int DataAt = 0x1000;
    internal const int CacheStart = 0, CacheEnd = 8, FaultThunk = 16, FaultRip = 24, ArenaStart = 32, ArenaEnd = 40, Process = 48, Leader = 56,
        Blocked = 64, GateAt = 128, OldHandlers = 0x200;

    private static readonly byte* s_base = Create();

    /// <summary>Whether this host can run the routines.</summary>
    public static bool IsSupported => RuntimeInformation.ProcessArchitecture == Architecture.X64 && OperatingSystem.IsLinux();

    public static nint Restorer => (nint)(s_base + RestorerAt);
    public static nint Fault => (nint)(s_base + FaultAt);
    public static nint Block => (nint)(s_base + BlockAt);
    public static nint Record => (nint)(s_base + RecordAt);

    // SAFETY (all routines): offsets of the code that Create has put there, with the signatures that its source says.
    public static delegate* unmanaged<byte*, long*, long> Interruptible => (delegate* unmanaged<byte*, long*, long>)(s_base + InterruptibleAt);
    public static delegate* unmanaged<long*, long> Plain => (delegate* unmanaged<long*, long>)(s_base + PlainAt);
    public static delegate* unmanaged<void*, void*, nint, nint> Copy => (delegate* unmanaged<void*, void*, nint, nint>)(s_base + CopyAt);
    public static delegate* unmanaged<ulong, ulong*, long> Load16 => (delegate* unmanaged<ulong, ulong*, long>)(s_base + Load16At);
    public static delegate* unmanaged<ulong, ulong*, long> Store16 => (delegate* unmanaged<ulong, ulong*, long>)(s_base + Store16At);

    /// <param name="size">0 to 3: 1 to 8 bytes.</param>
    public static delegate* unmanaged<ulong, ulong*, long> Load(int size) => (delegate* unmanaged<ulong, ulong*, long>)(s_base + LoadAt + (size * LoadSize));

    /// <inheritdoc cref="Load"/>
    public static delegate* unmanaged<ulong, ulong, long> Store(int size) => (delegate* unmanaged<ulong, ulong, long>)(s_base + StoreAt + (size * LoadSize));

    /// <inheritdoc cref="Load"/>
    public static delegate* unmanaged<ulong, ulong*, ulong, long> Exchange(int size)
        => (delegate* unmanaged<ulong, ulong*, ulong, long>)(s_base + ExchangeAt + (size * ExchangeSize));

    /// <summary>A word of the data that the handlers use.</summary>
    public static ref ulong Data(int offset) => ref *(ulong*)(s_base + DataAt + offset);

    /// <summary>1 while a thread forks the process (<see cref="ForkGate"/>).</summary>
    public static ref int Gate => ref *(int*)(s_base + DataAt + GateAt);
    public static long GateAddress => (long)(s_base + DataAt + GateAt);

    private static byte* Create()
    {
        var memory = new ExecutableMemory(DataAt + 0x1000);
        byte[] code = Convert.FromHexString(Code);
        // SAFETY: the memory is larger than the code, and never given back.
        code.CopyTo(new Span<byte>((void*)memory.Address, code.Length));
        return (byte*)memory.Address;
    }
}
