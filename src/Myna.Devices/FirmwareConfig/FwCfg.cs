using System.Buffers.Binary;
using System.Text;
using Myna.Devices.Ports;
using Myna.Hardware.Firmware;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.FirmwareConfig;

/// <summary>
/// The firmware configuration device of QEMU (QEMU documentation, specs/fw_cfg). In its memory-mapped form: data at 0,
/// selector at 8 (big-endian), DMA address at 16 (big-endian); <see cref="Ports"/> is the form of PCs. Items are read-only, except files that a device takes.
/// </summary>
[Stateful("fw-cfg")]
public sealed partial class FwCfg : IMmio, IPlatformDevice
{
    public const ushort SIGNATURE = 0, ID = 1, RAM_SIZE = 3, NOGRAPHIC = 4, NB_CPUS = 5, KERNEL_ADDR = 7, KERNEL_SIZE = 8, INITRD_ADDR = 0xa, INITRD_SIZE = 0xb,
        MAX_CPUS = 0xf, KERNEL_DATA = 0x11, INITRD_DATA = 0x12, CMDLINE_ADDR = 0x13, CMDLINE_SIZE = 0x14, CMDLINE_DATA = 0x15,
        SETUP_ADDR = 0x16, SETUP_SIZE = 0x17, SETUP_DATA = 0x18, FILE_DIR = 0x19, FILE_FIRST = 0x20;
    private const ulong Data = 0, Selector = 8, Dma = 16;
    private const uint ERROR = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16;
    private const ulong DmaSignature = 0x51454d55_20434647; // "QEMU CFG"

    private static readonly byte[] s_zeroes = new byte[Ram.PageSize];
    private readonly Lock _lock = new();
    private readonly AddressSpace _memory;
    [NotSaved("wiring")] private readonly Dictionary<ushort, Func<byte[]>> _made = [];
    [NotSaved("configuration")] private readonly Dictionary<ushort, byte[]> _items = [];
    [NotSaved("configuration")] private readonly Dictionary<string, ushort> _numbers = [];
    [NotSaved("configuration")] private readonly HashSet<ushort> _writable = [];
    [Saved(1)] private ushort _selected;
    [Saved(2)] private uint _position;
    [Saved(3)] private uint _dmaHigh;

    /// <param name="memory">Where DMA goes: RAM only.</param>
    /// <param name="files">Files by name, at most 55 characters each.</param>
    /// <param name="items">Further items by number.</param>
    /// <param name="writable">Names of files that the guest may write by DMA: into the array given, which is a device's.</param>
    public FwCfg(AddressSpace memory, IEnumerable<KeyValuePair<string, byte[]>> files, int cpus, ulong ramSize, IEnumerable<KeyValuePair<ushort, byte[]>>? items = null,
        IReadOnlyCollection<string>? writable = null)
    {
        _memory = memory;
        Ports = new PortForm(this);
        foreach ((ushort number, byte[] content) in items ?? [])
            _items[number] = content;
        _items[SIGNATURE] = "QEMU"u8.ToArray();
        _items[ID] = [3, 0, 0, 0]; // traditional interface and DMA
        _items[RAM_SIZE] = BitConverter.GetBytes(ramSize);
        _items[NB_CPUS] = BitConverter.GetBytes((ushort)cpus);
        KeyValuePair<string, byte[]>[] sorted = [.. files.OrderBy(f => f.Key, StringComparer.Ordinal)];
        byte[] directory = new byte[4 + 64 * sorted.Length];
        BinaryPrimitives.WriteUInt32BigEndian(directory, (uint)sorted.Length);
        for (int i = 0; i < sorted.Length; i++)
        {
            Span<byte> entry = directory.AsSpan(4 + 64 * i, 64);
            byte[] name = Encoding.ASCII.GetBytes(sorted[i].Key);
            if (name.Length > 55)
                throw new ArgumentException($"the fw_cfg name {sorted[i].Key} is longer than 55 characters");
            ushort key = (ushort)(FILE_FIRST + i);
            BinaryPrimitives.WriteUInt32BigEndian(entry, (uint)sorted[i].Value.Length);
            BinaryPrimitives.WriteUInt16BigEndian(entry[4..], key);
            name.CopyTo(entry[8..]);
            _items[key] = sorted[i].Value;
            _numbers[sorted[i].Key] = key;
            if (writable?.Contains(sorted[i].Key) == true)
                _writable.Add(key);
        }
        _items[FILE_DIR] = directory;
    }

    /// <summary>Has a file made anew whenever the guest selects it, since it describes what firmware has set up. Before the machine runs.</summary>
    /// <param name="content">As many bytes as the file has.</param>
    public void Refresh(string file, Func<byte[]> content) => _made.Add(_numbers[file], content);

    /// <inheritdoc/>
    public string NodeName => "fw-cfg";

    /// <summary>Twelve I/O ports: selector at 0 (16 bits, little-endian), data at 1, DMA address at 4 (big-endian).</summary>
    [field: NotSaved("wiring")]
    public IRegisterBlock Ports { get; }

    /// <inheritdoc/>
    public ulong Size => 0x18;

    private byte[] Item => _items.GetValueOrDefault(_selected, []);

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = 0;
        lock (_lock)
        {
            if (offset < Selector)
            {
                // The data register is a string of bytes: the first lies at the lowest address.
                for (int i = 0; i < size; i++)
                    value |= (ulong)Next() << (8 * i);
            }
            else if (offset >= Dma)
            {
                ulong word = BinaryPrimitives.ReverseEndianness(DmaSignature) >> (int)(8 * (offset - Dma));
                value = size == 8 ? word : word & ((1ul << (8 * size)) - 1);
            }
        }
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        lock (_lock)
        {
            switch (offset, size)
            {
                case (Selector, 2):
                    Select(BinaryPrimitives.ReverseEndianness((ushort)value));
                    break;
                case (Dma, 4):
                    _dmaHigh = BinaryPrimitives.ReverseEndianness((uint)value);
                    break;
                case (Dma + 4, 4):
                    ulong address = (ulong)_dmaHigh << 32 | BinaryPrimitives.ReverseEndianness((uint)value);
                    _dmaHigh = 0;
                    Transfer(address);
                    break;
                case (Dma, 8):
                    Transfer(BinaryPrimitives.ReverseEndianness(value));
                    break;
            }
        }
        return true;
    }

    /// <inheritdoc/>
    public void Reset()
    {
        lock (_lock)
        {
            _selected = 0;
            _position = _dmaHigh = 0;
        }
    }

    /// <inheritdoc/>
    public void Describe(DeviceTreeNode node) => node.SetStrings("compatible", "qemu,fw-cfg-mmio").SetFlag("dma-coherent");

    private void Sync() { }

    private void Select(ushort item)
    {
        _selected = item;
        if (_made.TryGetValue(item, out Func<byte[]>? content))
            _items[item] = content();
        _position = 0;
    }

    private byte Next()
    {
        byte[] item = Item;
        return _position < (uint)item.Length ? item[_position++] : (byte)0;
    }

    /// <summary>Carries out the FWCfgDmaAccess structure at an address: control, length, address, all big-endian.</summary>
    private void Transfer(ulong structure)
    {
        Span<byte> access = stackalloc byte[16];
        if (!_memory.Read(structure, access))
            return;
        uint control = BinaryPrimitives.ReadUInt32BigEndian(access);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(access[4..]);
        ulong address = BinaryPrimitives.ReadUInt64BigEndian(access[8..]);
        if ((control & SELECT) != 0)
            Select((ushort)(control >> 16));
        bool ok = true;
        if ((control & READ) != 0)
            ok = CopyOut(address, length);
        else if ((control & WRITE) != 0)
            ok = CopyIn(address, length);
        else if ((control & SKIP) != 0)
            _position = (uint)Math.Min(_position + (ulong)length, (ulong)Item.Length);
        Span<byte> result = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(result, ok ? 0 : ERROR);
        _memory.Write(structure, result);
    }

    private bool CopyIn(ulong address, uint length)
    {
        byte[] item = Item;
        if (!_writable.Contains(_selected) || _position > (uint)item.Length || length > (uint)item.Length - _position)
            return false;
        byte[] bytes = new byte[length];
        if (!_memory.Read(address, bytes))
            return false;
        bytes.CopyTo(item.AsSpan((int)_position));
        _position += length;
        return true;
    }

    private bool CopyOut(ulong address, uint length)
    {
        byte[] item = Item;
        uint count = Math.Min(length, (uint)item.Length - Math.Min(_position, (uint)item.Length));
        if (count != 0 && !_memory.Write(address, item.AsSpan((int)_position, (int)count)))
            return false;
        _position += count;
        address += count;
        length -= count;
        // Beyond the end an item reads as zeroes.
        ReadOnlySpan<byte> zeroes = s_zeroes;
        while (length != 0)
        {
            int run = (int)Math.Min(length, (uint)zeroes.Length);
            if (!_memory.Write(address, zeroes[..run]))
                return false;
            address += (ulong)run;
            length -= (uint)run;
        }
        return true;
    }

    private sealed class PortForm(FwCfg device) : IRegisterBlock
    {
        private const ulong Data = 1, Dma = 4;

        public IStateful Owner => device;
        public ulong Size => 12;

        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            if (offset >= Dma)
                return device.Read(offset - Dma + FwCfg.Dma, size, out value);
            if (offset == Data)
                return device.Read(0, 1, out value);
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            if (offset >= Dma)
                return device.Write(offset - Dma + FwCfg.Dma, size, value);
            if (offset == 0 && size == 2)
            {
                lock (device._lock)
                    device.Select((ushort)value);
            }
            return true;
        }
    }
}
