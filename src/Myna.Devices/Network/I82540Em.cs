using Myna.Devices.Pci;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Network;

/// <summary>Intel 82540EM, the PRO/1000 MT desktop adapter that most systems know ("e1000").</summary>
[Stateful("e1000")]
public sealed partial class I82540Em : GigabitController
{
    /// <inheritdoc cref="GigabitController"/>
    /// <param name="rom">Firmware for booting from the network, or empty.</param>
    public I82540Em(AddressSpace memory, INetBackend backend, ReadOnlySpan<byte> mac, ReadOnlyMemory<byte> rom = default, LogChannel? log = null)
        : base("e1000", new PciIdentity(0x8086, 0x100e, 0x020000, 0x03, 0x8086, 0x001e), memory, backend, mac, phyId: 0x0141_0c20, log)
    {
        AddIoBar(1, 64);
        if (!rom.IsEmpty)
            AddRom(rom);
    }

    private protected override bool HasMicrowire => true;
    private protected override int IoBar => 1;
}
