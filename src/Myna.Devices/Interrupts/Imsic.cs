using System.Buffers.Binary;
using Myna.Hardware.Firmware;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Interrupts;

/// <summary>The interrupt files of all harts for one privilege level, a page each (Advanced Interrupt Architecture 1.0, section 3.5).</summary>
[Stateful("imsic")]
public sealed partial class Imsic : IMmio, IMsiSink, IPlatformDevice
{
    private const ulong PageSize = 0x1000, seteipnum_le = 0, seteipnum_be = 4;

    private readonly ulong _address;
    [Saved(1)] private readonly ImsicFile[] _files;

    /// <param name="address">Where the board maps it: messages come by address.</param>
    /// <param name="lines">The external interrupt of each hart.</param>
    public Imsic(ulong address, InterruptLine[] lines)
    {
        _address = address;
        _files = [.. lines.Select(line => new ImsicFile(line))];
    }

    /// <inheritdoc/>
    public string NodeName => "imsics";

    /// <inheritdoc/>
    public ulong Size => (ulong)_files.Length * PageSize;

    /// <summary>The file of a hart.</summary>
    public ImsicFile this[int hart] => _files[hart];

    public int Count => _files.Length;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        // Reads return zero (section 3.6).
        value = 0;
        return size == 4;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        if (size != 4)
            return false;
        switch (offset % PageSize)
        {
            case seteipnum_le: _files[offset / PageSize].Receive((uint)value); break;
            case seteipnum_be: _files[offset / PageSize].Receive(BinaryPrimitives.ReverseEndianness((uint)value)); break;
        }
        return true;
    }

    /// <inheritdoc/>
    public bool Send(ulong address, uint data)
        => address - _address < Size && (address & 3) == 0 && Write(address - _address, 4, data);

    /// <inheritdoc/>
    public void Reset()
    {
        foreach (ImsicFile file in _files)
            file.Reset();
    }

    /// <inheritdoc/>
    public void Describe(DeviceTreeNode node) => node
        .SetStrings("compatible", "qemu,imsics", "riscv,imsics")
        .SetFlag("interrupt-controller").SetCells("#interrupt-cells", 0).SetCells("#address-cells", 0)
        .SetFlag("msi-controller").SetCells("#msi-cells", 0)
        .SetCells("riscv,num-ids", ImsicFile.Identities);

    private void Sync() { }
}
