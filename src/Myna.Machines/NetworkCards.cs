using Myna.Devices.Network;
using Myna.Devices.Pci;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;

namespace Myna.Machines;

/// <summary>What kind of network card a guest sees; the names are QEMU's.</summary>
public enum NetModel
{
    Virtio,

    /// <summary>Intel 82540EM.</summary>
    E1000,

    /// <summary>Intel 82574L.</summary>
    E1000e,

    /// <summary>Realtek RTL8139D.</summary>
    Rtl8139,
}

/// <summary>Builds network cards that are not virtio.</summary>
internal static class NetworkCards
{
    /// <param name="mac">Six bytes.</param>
    public static PciDevice Create(NetDevice card, AddressSpace memory, Clock clock, ReadOnlySpan<byte> mac, Log log) => card.Model switch
    {
        NetModel.E1000 => new I82540Em(memory, card.Backend, mac, card.Rom, log[LogNames.E1000]),
        NetModel.E1000e => new I82574L(memory, card.Backend, mac, card.Rom, log[LogNames.E1000]),
        NetModel.Rtl8139 => new Rtl8139(memory, clock, card.Backend, mac, card.Rom, log[LogNames.Rtl8139]),
        _ => throw new ArgumentOutOfRangeException(nameof(card), card.Model, "not a card of PCI alone"),
    };
}
