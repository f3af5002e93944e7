using Myna.Hardware.State;

namespace Myna.Hardware.Firmware;

/// <summary>
/// A device that sits at a fixed address of a board. Its own declaration is all that a board needs to map it and to
/// describe it in the device tree; the board adds the properties reg and interrupts.
/// </summary>
public interface IPlatformDevice : IStateful
{
    /// <summary>The generic name of the node (Devicetree Specification 0.4, section 2.2.2), as in "serial".</summary>
    string NodeName { get; }

    /// <summary>Bytes of address space.</summary>
    ulong Size { get; }

    /// <summary>Power-on state, including the levels of its interrupt lines. The machine is paused.</summary>
    void Reset();

    /// <summary>Adds "compatible" and what else the device's binding asks for.</summary>
    void Describe(DeviceTreeNode node);
}
