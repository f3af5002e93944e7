using Myna.Devices.Pci;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.State;

namespace Myna.Devices.Power;

/// <summary>
/// QEMU's paravirtual panic device (QEMU documentation, specs/pvpanic): the guest says that its kernel has panicked. On the ISA bus a port,
/// 505h; on PCI a register in memory.
/// </summary>
[Stateful("pvpanic")]
public sealed partial class Pvpanic(IPowerControl power, GuestAction action, LogChannel? log = null) : IMmio
{
    /// <summary>The usual port, of which there is one.</summary>
    public const ulong Port = 0x505, Ports = 1;

    private const byte Panicked = 1, CrashLoaded = 2, ShutDown = 4;

    private readonly IPowerControl _power = power;
    private readonly GuestAction _action = action;
    private readonly LogChannel _log = log ?? LogChannel.None;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = Panicked | CrashLoaded | ShutDown;
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        if ((value & Panicked) != 0)
        {
            _log.Warn("the guest's kernel has panicked");
            _power.Do(_action, status: 1);
        }
        else if ((value & CrashLoaded) != 0)
            _log.Warn("the guest's kernel has panicked and starts its crash kernel");
        else if ((value & ShutDown) != 0)
            _power.PowerOff(0);
        return true;
    }

    /// <summary>Power-on state.</summary>
    public void Reset() { }

    private void Sync() { }
}

/// <summary>The PCI function with a <see cref="Pvpanic"/>.</summary>
[Stateful("pvpanic-pci")]
public sealed partial class PvpanicPci : PciDevice
{
    private readonly Pvpanic _device;

    public PvpanicPci(IPowerControl power, GuestAction action, LogChannel? log = null)
        : base("pvpanic", new PciIdentity(0x1b36, 0x0011, 0x088000, RevisionId: 1, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        _device = new Pvpanic(power, action, log);
        AddBar(0, 4096, is64Bit: false, prefetchable: false);
    }

    /// <inheritdoc/>
    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        value = 0;
        return offset != 0 || _device.Read(0, size, out value);
    }

    /// <inheritdoc/>
    public override bool WriteBar(int bar, ulong offset, int size, ulong value) => offset != 0 || _device.Write(0, size, value);
}
