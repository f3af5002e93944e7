using Myna.Devices.Pci;
using Myna.Hardware.State;

namespace Myna.Machines;

/// <summary>A device of a board, as the machine's life and the monitor need it.</summary>
/// <param name="Name">Unique in the machine, as in "serial@10000000" or "pci 00:01.0 virtio-blk".</param>
/// <param name="State">What is saved.</param>
/// <param name="Reset">Brings it to its power-on state.</param>
public sealed record BoardDevice(string Name, IStateful State, Action Reset)
{
    /// <summary>A PCI function under its address.</summary>
    public static BoardDevice Of(PciDevice device)
        => new($"pci 00:{device.DeviceFunction >> 3:x2}.{device.DeviceFunction & 7} {device.Name}", device, device.Reset);
}
