using Myna.Devices.Ports;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Display;

/// <summary>
/// A VGA (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem") with the registers of the Bochs VBE interface
/// (Bochs, "VBE Display Interface"): 256 KiB of video memory in four planes at A0000h, more behind a linear frame buffer.
/// The planes' bytes lie interleaved, plane 0 first, at the beginning of the video memory.
/// </summary>
[Stateful("vga")]
public sealed partial class Vga : IPortDevice
{
    /// <summary>First address and bytes of the window to the planes.</summary>
    public const ulong WindowStart = 0xa0000, WindowSize = 0x20000;

    // One frame of 70 Hz, in nanoseconds, and the part of it that is vertical retrace; 31.5 kHz lines.
    private const ulong Frame = 14_268_000, Retrace = 64_000, Line = 31_777, HorizontalBlank = 6_356;
    private const int PlaneBytes = 0x10000;

    private readonly Clock _clock;
    private readonly Ram _memory;
    private readonly Lock _lock = new();
    private readonly VgaPainter _painter;

    [Saved(1)] private readonly byte[] _sequencer = new byte[8];
    [Saved(2)] private readonly byte[] _crtc = new byte[Crtc.Count];
    [Saved(3)] private readonly byte[] _graphics = new byte[Graphics.Count];
    [Saved(4)] private readonly byte[] _attributes = new byte[Attributes.Count];

    // Red, green and blue of each colour, 6 bits each, or 8 with the VBE's wide DAC.
    [Saved(5)] private readonly byte[] _dac = new byte[768];
    [Saved(6)] private byte _sequencerIndex;
    [Saved(7)] private byte _crtcIndex;
    [Saved(8)] private byte _graphicsIndex;

    // Bit 5: the palette is the display's rather than the CPU's.
    [Saved(9)] private byte _attributeIndex;

    // The next write to 3C0h is data.
    [Saved(10)] private bool _attributeData;
    [Saved(11)] private byte _miscellaneous;
    [Saved(12)] private byte _feature;
    [Saved(13)] private byte _pelMask;

    // Position in the DAC, three for each colour, and whether the last index was for reading.
    [Saved(14)] private int _pelRead;
    [Saved(15)] private int _pelWrite;
    [Saved(16)] private bool _pelReading;

    // What the last read from the window loaded from the four planes, plane 0 in the low byte.
    [Saved(17)] private uint _latch;
    [Saved(18)] private byte _enable;
    [Saved(19)] private readonly Dispi _dispi;

    [NotSaved("counts what the picture depends on; drawing begins anew after a load")]
    private uint _version = 1;

    [NotSaved("wiring")]
    private Action? _settle;

    /// <param name="memory">The video memory, at least 256 KiB.</param>
    public Vga(Clock clock, Ram memory)
    {
        _clock = clock;
        _memory = memory;
        _dispi = new Dispi(memory.Size);
        _painter = new VgaPainter(memory);
        Window = new WindowBlock(this);
        DispiPorts = new DispiBlock(this);
        CrtcMono = new PortBlock(this, VgaPort.CrtcIndexMono, 2, lazy: true);
        StatusMono = new PortBlock(this, VgaPort.StatusMono, 1);
        Registers = new PortBlock(this, VgaPort.AttributeIndex, 16, lazy: true);
        CrtcColour = new PortBlock(this, VgaPort.CrtcIndex, 2, lazy: true);
        StatusColour = new PortBlock(this, VgaPort.Status, 1);
        Reset();
    }

    /// <summary>Memory at A0000h, 128 KiB.</summary>
    [field: NotSaved("wiring")]
    public IRegisterBlock Window { get; }

    /// <summary>Ports 3B4h and 3B5h, 3BAh, 3C0h to 3CFh, 3D4h and 3D5h, 3DAh.</summary>
    [field: NotSaved("wiring")]
    public PortBlock CrtcMono { get; }
    [field: NotSaved("wiring")]
    public PortBlock StatusMono { get; }
    [field: NotSaved("wiring")]
    public PortBlock Registers { get; }
    [field: NotSaved("wiring")]
    public PortBlock CrtcColour { get; }
    [field: NotSaved("wiring")]
    public PortBlock StatusColour { get; }

    /// <summary>Ports 1CEh (index) to 1D0h of the VBE interface.</summary>
    [field: NotSaved("wiring")]
    public IRegisterBlock DispiPorts { get; }

    /// <summary>The colour registers are at 3D0h to 3DFh, not at 3B0h to 3BFh.</summary>
    private bool IsColour => (_miscellaneous & 1) != 0;

    private bool IsLinear => _dispi.IsLinear;

    /// <summary>Draws what the registers and the memory say.</summary>
    public void Draw(Surface surface)
    {
        surface.Claim(this);
        _settle?.Invoke();
        VgaPicture picture;
        uint version;
        lock (_lock)
        {
            version = _version;
            picture = new VgaPicture(_sequencer, _crtc, _graphics, _attributes, _dac, _pelMask, (_attributeIndex & 0x20) != 0, _dispi, _clock.Now / Frame);
        }
        _painter.Draw(surface, picture, version);
    }

    /// <summary>Power-on state: a blank screen. Video memory keeps its content.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            foreach (byte[] registers in new[] { _sequencer, _crtc, _graphics, _attributes, _dac })
                Array.Clear(registers);
            _sequencerIndex = _crtcIndex = _graphicsIndex = _attributeIndex = _feature = _miscellaneous = _enable = 0;
            _pelMask = 0xff;
            _pelRead = _pelWrite = 0;
            _attributeData = _pelReading = false;
            _latch = 0;
            _dispi.Reset();
            _version++;
        }
    }

    byte IPortDevice.ReadPort(int block, int offset)
    {
        lock (_lock)
            return ReadRegister(block + offset);
    }

    void IPortDevice.WritePort(int block, int offset, byte value)
    {
        lock (_lock)
            WriteRegister(block + offset, value);
    }

    /// <summary>The registers of 3C0h to 3DFh as memory, from <paramref name="offset"/> 0 on.</summary>
    internal ulong ReadRegisters(ulong offset, int size)
    {
        ulong value = 0;
        lock (_lock)
        {
            for (int i = 0; i < size; i++)
                value |= (ulong)ReadRegister(VgaPort.AttributeIndex + (int)offset + i) << (8 * i);
        }
        return value;
    }

    internal void WriteRegisters(ulong offset, int size, ulong value)
    {
        lock (_lock)
        {
            for (int i = 0; i < size; i++)
                WriteRegister(VgaPort.AttributeIndex + (int)offset + i, (byte)(value >> (8 * i)));
        }
    }

    /// <summary>A register of the VBE interface.</summary>
    internal ushort ReadDispi(int index)
    {
        lock (_lock)
            return _dispi.Read(index);
    }

    internal void WriteDispi(int index, ushort value)
    {
        lock (_lock)
        {
            _version++;
            if (_dispi.Write(index, value) is var clear and not 0)
                _memory.GetForWrite(0, (int)Math.Min(clear, _memory.Size)).Clear();
        }
    }

    private byte ReadRegister(int port)
    {
        switch (port)
        {
            case VgaPort.AttributeIndex: return _attributeIndex;
            case VgaPort.AttributeData: return Get(_attributes, _attributeIndex & 0x1f);
            // Input Status #0: the sense bit says that a colour monitor is there.
            case VgaPort.MiscellaneousWrite: return 0x10;
            case VgaPort.Enable: return _enable;
            case VgaPort.SequencerIndex: return _sequencerIndex;
            case VgaPort.SequencerData: return Get(_sequencer, _sequencerIndex);
            case VgaPort.PelMask: return _pelMask;
            case VgaPort.PelReadIndex: return (byte)(_pelReading ? 3 : 0);
            case VgaPort.PelWriteIndex: return (byte)(_pelWrite / 3);
            case VgaPort.PelData:
                byte colour = _dac[_pelRead];
                _pelRead = (_pelRead + 1) % 768;
                return colour;
            case VgaPort.FeatureRead: return _feature;
            case VgaPort.MiscellaneousRead: return _miscellaneous;
            case VgaPort.GraphicsIndex: return _graphicsIndex;
            case VgaPort.GraphicsData: return Get(_graphics, _graphicsIndex);
            case VgaPort.CrtcIndexMono when !IsColour:
            case VgaPort.CrtcIndex when IsColour:
                return _crtcIndex;
            case VgaPort.CrtcDataMono when !IsColour:
            case VgaPort.CrtcData when IsColour:
                return Get(_crtc, _crtcIndex);
            case VgaPort.StatusMono when !IsColour:
            case VgaPort.Status when IsColour:
                _attributeData = false;
                return Status();
            default: return 0xff;
        }
    }

    private void WriteRegister(int port, byte value)
    {
        switch (port)
        {
            case VgaPort.AttributeIndex when !_attributeData:
                _attributeIndex = (byte)(value & 0x3f);
                _attributeData = true;
                _version++;
                break;
            case VgaPort.AttributeIndex:
                int attribute = _attributeIndex & 0x1f;
                Set(_attributes, attribute, (byte)(value & (attribute < 16 ? 0x3f : attribute == Attributes.Mode ? 0xef : attribute is Attributes.HorizontalPanning or Attributes.ColourSelect ? 0x0f : 0xff)));
                _attributeData = false;
                break;
            case VgaPort.MiscellaneousWrite: _miscellaneous = (byte)(value & 0xef); break;
            case VgaPort.Enable: _enable = (byte)(value & 1); break;
            case VgaPort.SequencerIndex: _sequencerIndex = (byte)(value & 7); break;
            case VgaPort.SequencerData:
                ReadOnlySpan<byte> masks = [0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0];
                Set(_sequencer, _sequencerIndex, (byte)(value & masks[_sequencerIndex]));
                break;
            case VgaPort.PelMask:
                _pelMask = value;
                _version++;
                break;
            case VgaPort.PelReadIndex:
                _pelRead = value * 3;
                _pelReading = true;
                break;
            case VgaPort.PelWriteIndex:
                _pelWrite = value * 3;
                _pelReading = false;
                break;
            case VgaPort.PelData:
                Set(_dac, _pelWrite, _dispi.WideDac ? value : (byte)(value & 0x3f));
                _pelWrite = (_pelWrite + 1) % 768;
                break;
            case VgaPort.GraphicsIndex: _graphicsIndex = (byte)(value & 15); break;
            case VgaPort.GraphicsData: Set(_graphics, _graphicsIndex, value); break;
            case VgaPort.CrtcIndexMono when !IsColour:
            case VgaPort.CrtcIndex when IsColour:
                _crtcIndex = (byte)(value & 0x1f);
                break;
            case VgaPort.CrtcDataMono when !IsColour:
            case VgaPort.CrtcData when IsColour:
                WriteCrtc(value);
                break;
            case VgaPort.StatusMono when !IsColour:
            case VgaPort.Status when IsColour:
                _feature = (byte)(value & 0x10);
                break;
        }
    }

    private void WriteCrtc(byte value)
    {
        // Protect R0-R7: only the line compare bit of the overflow register can be written.
        if ((_crtc[Crtc.VerticalRetraceEnd] & 0x80) != 0 && _crtcIndex <= Crtc.Overflow)
        {
            if (_crtcIndex == Crtc.Overflow)
                Set(_crtc, Crtc.Overflow, (byte)(_crtc[Crtc.Overflow] & ~0x10 | value & 0x10));
            return;
        }
        Set(_crtc, _crtcIndex, value);
    }

    private static byte Get(byte[] registers, int index) => index < registers.Length ? registers[index] : (byte)0;

    private void Set(byte[] registers, int index, byte value)
    {
        if (index < registers.Length)
            registers[index] = value;
        _version++;
    }

    // Input Status #1: bit 0 blanking of either kind, bit 3 vertical retrace.
    private byte Status()
    {
        ulong now = _clock.Now;
        bool vertical = now % Frame < Retrace;
        return (byte)(vertical ? 9 : now % Line < HorizontalBlank ? 1 : 0);
    }

    private void Sync()
    {
        // A damaged stream must not lead out of the tables.
        _pelRead = (int)((uint)_pelRead % 768);
        _pelWrite = (int)((uint)_pelWrite % 768);
        _sequencerIndex &= 7;
        _version++;
    }

    private sealed class DispiBlock(Vga vga) : IRegisterBlock
    {
        public Hardware.State.IStateful Owner => vga;
        public ulong Size => 3;

        // A word at 1CFh comes as two bytes, since it is not aligned.
        public bool Read(ulong offset, int size, out ulong value)
        {
            lock (vga._lock)
                value = vga._dispi.ReadPort((int)offset, size);
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            int index;
            ushort word;
            lock (vga._lock)
            {
                if (!vga._dispi.WritePort((int)offset, size, (ushort)value, out index, out word))
                    return true;
            }
            vga.WriteDispi(index, word);
            return true;
        }
    }
}
