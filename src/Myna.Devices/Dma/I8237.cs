using Myna.Devices.Ports;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Dma;

/// <summary>
/// The two 8237 DMA controllers of a PC with their page registers (ICH9 data sheet, section 13.2): channels 0 to 3 move bytes, 5 to 7 words, within
/// 64 or 128 KiB of the first 16 MiB. A device asks for its channel; nothing moves by itself.
/// </summary>
/// <remarks>DEVIATION: channels 0 to 3 do not need channel 4 to be cascaded, and no memory-to-memory transfers.</remarks>
[Stateful("i8237")]
public sealed partial class I8237 : IPortDevice
{
    private const int Channels = 8, LowBlock = 0, HighBlock = 1, PageBlock = 2;

    // Mode: bits 3:2 kind of transfer, 4 automatic initialisation, 5 downwards, 7:6 3 for cascade.
    private const byte AutoInitialise = 0x10, Decrement = 0x20, CascadeMode = 0xc0, Disabled = 0x04;

    private readonly Lock _lock = new();
    private readonly AddressSpace _memory;

    [Saved(1)] private readonly ushort[] _baseAddress = new ushort[Channels];
    [Saved(2)] private readonly ushort[] _baseCount = new ushort[Channels];
    [Saved(3)] private readonly ushort[] _address = new ushort[Channels];
    [Saved(4)] private readonly ushort[] _count = new ushort[Channels];
    [Saved(5)] private readonly byte[] _mode = new byte[Channels];
    [Saved(6)] private readonly byte[] _page = new byte[16];

    // One bit for each channel.
    [Saved(7)] private byte _mask = 0xff;
    [Saved(8)] private byte _terminal;

    // Of each controller: the command register, and whether the next byte of a word is its high one.
    [Saved(9)] private readonly byte[] _command = new byte[2];
    [Saved(10)] private readonly bool[] _flipFlop = new bool[2];

    public I8237(AddressSpace memory)
    {
        _memory = memory;
        Low = new PortBlock(this, LowBlock, 16);
        High = new PortBlock(this, HighBlock, 32);
        Pages = new PortBlock(this, PageBlock, 15);
    }

    private enum Kind { Verify = 0, ToMemory = 1, FromMemory = 2 }

    /// <summary>Ports 00h to 0Fh.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Low { get; }

    /// <summary>Ports C0h to DFh.</summary>
    [field: NotSaved("wiring")]
    public PortBlock High { get; }

    /// <summary>Ports 81h to 8Fh.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Pages { get; }

    // Page registers of channels 0 to 7, from 80h on (0 is a spare one).
    private static ReadOnlySpan<byte> PageOf => [7, 3, 1, 2, 0xf, 0xb, 9, 0xa];

    /// <summary>Moves bytes on behalf of a device.</summary>
    /// <param name="channel">0 to 3.</param>
    /// <param name="data">The device's; filled when it takes bytes from memory.</param>
    /// <param name="toMemory">The device gives bytes.</param>
    /// <param name="terminal">The last one was moved that the channel was programmed for.</param>
    /// <returns>Bytes moved; 0 when the channel is not set up for this.</returns>
    public int Transfer(int channel, Span<byte> data, bool toMemory, out bool terminal)
    {
        terminal = false;
        lock (_lock)
        {
            byte mode = _mode[channel];
            var kind = (Kind)(mode >> 2 & 3);
            if ((_mask >> channel & 1) != 0 || (_command[0] & Disabled) != 0 || (mode & CascadeMode) == CascadeMode
                || (kind != Kind.Verify && kind != (toMemory ? Kind.ToMemory : Kind.FromMemory)))
                return 0;
            int moved = 0;
            while (moved < data.Length && !terminal)
            {
                int run = Run(channel, data.Length - moved);
                Move(channel, kind, data.Slice(moved, run));
                moved += run;
                terminal = Advance(channel, run);
            }
            return moved;
        }
    }

    byte IPortDevice.ReadPort(int block, int offset)
    {
        lock (_lock)
        {
            if (block == PageBlock)
                return _page[offset + 1 & 0xf];
            (int controller, int register) = block == LowBlock ? (0, offset) : (1, offset >> 1);
            if (register < 8)
                return ReadWord(controller, register);
            switch (register)
            {
                case 8:
                    byte reached = (byte)(_terminal >> controller * 4 & 0xf);
                    _terminal &= (byte)(0xf0 >> controller * 4);
                    return reached;
                case 0xf:
                    return (byte)(0xf0 | _mask >> controller * 4 & 0xf);
                default:
                    return 0;
            }
        }
    }

    void IPortDevice.WritePort(int block, int offset, byte value)
    {
        lock (_lock)
        {
            if (block == PageBlock)
            {
                _page[offset + 1 & 0xf] = value;
                return;
            }
            (int controller, int register) = block == LowBlock ? (0, offset) : (1, offset >> 1);
            int shift = controller * 4, channel = shift + (value & 3);
            switch (register)
            {
                case < 8:
                    WriteWord(controller, register, value);
                    break;
                case 8:
                    _command[controller] = value;
                    break;
                case 0xa:
                    _mask = (byte)(_mask & ~(1 << channel) | (value >> 2 & 1) << channel);
                    break;
                case 0xb:
                    _mode[channel] = value;
                    break;
                case 0xc:
                    _flipFlop[controller] = false;
                    break;
                case 0xd:
                    MasterClear(controller);
                    break;
                case 0xe:
                    _mask &= (byte)(0xf0 >> shift);
                    break;
                case 0xf:
                    _mask = (byte)(_mask & 0xf0 >> shift | (value & 0xf) << shift);
                    break;
            }
        }
    }

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            foreach (ushort[] registers in new[] { _baseAddress, _baseCount, _address, _count })
                Array.Clear(registers);
            Array.Clear(_mode);
            Array.Clear(_page);
            MasterClear(0);
            MasterClear(1);
        }
    }

    private void MasterClear(int controller)
    {
        _command[controller] = 0;
        _flipFlop[controller] = false;
        _terminal &= (byte)(0xf0 >> controller * 4);
        _mask |= (byte)(0xf << controller * 4);
    }

    private byte ReadWord(int controller, int register)
    {
        int channel = controller * 4 + (register >> 1);
        ushort word = (register & 1) == 0 ? _address[channel] : _count[channel];
        bool high = _flipFlop[controller];
        _flipFlop[controller] = !high;
        return (byte)(high ? word >> 8 : word);
    }

    private void WriteWord(int controller, int register, byte value)
    {
        int channel = controller * 4 + (register >> 1);
        bool high = _flipFlop[controller];
        _flipFlop[controller] = !high;
        ref ushort word = ref (register & 1) == 0 ? ref _baseAddress[channel] : ref _baseCount[channel];
        word = (ushort)(high ? word & 0xff | value << 8 : word & 0xff00 | value);
        // Base and current registers are written together.
        if ((register & 1) == 0)
            _address[channel] = word;
        else
            _count[channel] = word;
    }

    /// <summary>How many bytes can be moved before the count ends or the address wraps around.</summary>
    private int Run(int channel, int most)
    {
        int left = (_mode[channel] & Decrement) != 0 ? 1 : 0x1_0000 - _address[channel];
        return Math.Min(most, Math.Min(left, _count[channel] + 1));
    }

    private void Move(int channel, Kind kind, Span<byte> data)
    {
        ulong at = (ulong)_page[PageOf[channel]] << 16 | _address[channel];
        // What is not RAM reads as ones, and is not written.
        if (kind == Kind.ToMemory)
            _ = _memory.Write(at, data);
        else if (kind == Kind.FromMemory && !_memory.Read(at, data))
            data.Fill(0xff);
        else if (kind == Kind.Verify)
            data.Clear();
    }

    private bool Advance(int channel, int moved)
    {
        _address[channel] = (ushort)((_mode[channel] & Decrement) != 0 ? _address[channel] - moved : _address[channel] + moved);
        bool ended = moved == _count[channel] + 1;
        _count[channel] = (ushort)(_count[channel] - moved);
        if (!ended)
            return false;
        _terminal |= (byte)(1 << channel);
        if ((_mode[channel] & AutoInitialise) != 0)
            (_address[channel], _count[channel]) = (_baseAddress[channel], _baseCount[channel]);
        else
            _mask |= (byte)(1 << channel);
        return true;
    }

    private void Sync()
    {
        // Nothing is derived: devices ask.
    }
}
