using Myna.Cpu.RiscV.Sbi;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;
using Myna.Jit.User;

namespace Myna.Cpu.RiscV;

/// <summary>What a hart needs of its machine.</summary>
public sealed record HartOptions
{
    /// <summary>mhartid, and the virtual CPU's index.</summary>
    public int HartId { get; init; }

    /// <summary>Physical addresses.</summary>
    public required AddressSpace Memory { get; init; }

    public required Clock Clock { get; init; }

    /// <summary>Frequency of the time CSR.</summary>
    public ulong TimebaseHertz { get; init; } = 10_000_000;

    /// <summary>pc after reset, in M-mode; not used with the built-in SBI.</summary>
    public ulong ResetVector { get; init; }

    /// <summary>
    /// The built-in SBI: environment calls from S-mode go to it, the hart comes out of reset in S-mode, delegation set up,
    /// and stopped until <see cref="Hart.TryStart"/>.
    /// </summary>
    public SbiFirmware? Firmware { get; init; }

    /// <summary>Not a machine's hart but a user program's: U-mode alone, and exceptions end <see cref="VirtualCpu.Run"/>.</summary>
    public DirectMemory? User { get; init; }

    public LogChannel Log { get; init; } = LogChannel.None;
}
