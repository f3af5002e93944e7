using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Ports;

/// <summary>One of several ranges of registers of a device; what is saved is the device.</summary>
public interface IRegisterBlock : IMmio
{
    /// <summary>The device behind the range.</summary>
    IStateful Owner { get; }

    /// <summary>Bytes of address space or I/O ports.</summary>
    ulong Size { get; }
}

/// <summary>A device whose registers are single bytes in one or more ranges of I/O ports.</summary>
public interface IPortDevice : IStateful
{
    /// <summary>IN of one byte.</summary>
    /// <param name="block">Which of the device's ranges.</param>
    /// <param name="offset">The port, from the start of the range.</param>
    byte ReadPort(int block, int offset);

    /// <summary>OUT of one byte. Parameters as for <see cref="ReadPort"/>.</summary>
    void WritePort(int block, int offset, byte value);
}

/// <summary>
/// A range of byte-wide I/O ports. Wider accesses are consecutive bytes, lowest port first, as an ISA bus splits them.
/// </summary>
/// <param name="lazy">Writes show in later accesses alone, and in what the device settles them for (<see cref="ILazyWrites"/>).</param>
public sealed class PortBlock(IPortDevice device, int block, ulong size, bool lazy = false) : IRegisterBlock, ILazyWrites
{
    /// <inheritdoc/>
    public IReadOnlyList<LazyRange> LazyWrites => lazy ? [new LazyRange(0, size)] : [];

    /// <inheritdoc/>
    public Action? Settle
    {
        // The device asks by another of its ranges.
        set
        {
        }
    }

    /// <inheritdoc/>
    public IStateful Owner => device;

    /// <inheritdoc/>
    public ulong Size => size;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = 0;
        for (int i = 0; i < size; i++)
            value |= (ulong)device.ReadPort(block, (int)offset + i) << (i * 8);
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        for (int i = 0; i < size; i++)
            device.WritePort(block, (int)offset + i, (byte)(value >> (i * 8)));
        return true;
    }
}
