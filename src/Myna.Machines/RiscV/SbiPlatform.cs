using Myna.Cpu.RiscV.Sbi;
using Myna.Devices.Serial;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;

namespace Myna.Machines.RiscV;

/// <summary>The built-in SBI's view of the board.</summary>
internal sealed class SbiPlatform(AddressSpace memory, IPowerControl power) : ISbiPlatform
{
    public IReadOnlyList<ISbiHart> Harts { get; set; } = [];
    public IFirmwareConsole? Console { get; set; }

    public bool ReadPhysical(ulong address, Span<byte> destination) => memory.Read(address, destination);
    public bool WritePhysical(ulong address, ReadOnlySpan<byte> source) => memory.Write(address, source);
    public void ConsoleWrite(ReadOnlySpan<byte> bytes) => Console?.ConsoleWrite(bytes);
    public int ConsoleRead(Span<byte> bytes) => Console?.ConsoleRead(bytes) ?? 0;

    public void SystemReset(SystemResetType type, bool failure)
    {
        if (type == SystemResetType.Shutdown)
            power.PowerOff(failure ? 1 : 0);
        else
            power.Reset();
    }
}
