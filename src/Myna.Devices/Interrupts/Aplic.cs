using System.Buffers.Binary;
using Myna.Hardware.Firmware;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Interrupts;

/// <summary>
/// One domain of an advanced PLIC that turns wires into messages (Advanced Interrupt Architecture 1.0, chapter 4). The root
/// domain may delegate sources to one child.
/// DEVIATION: delivery by message only (domaincfg.DM is 1); the message address registers are locked, hart index N means the
/// N-th file of the domain's IMSIC.
/// </summary>
[Stateful("aplic")]
public sealed partial class Aplic : IMmio, IInterruptSink, IPlatformDevice
{
    private const ulong domaincfg = 0x0000, sourcecfg = 0x0004, sourcecfgEnd = 0x1000, mmsiaddrcfgh = 0x1bc4, smsiaddrcfgh = 0x1bcc,
        setip = 0x1c00, setipnum = 0x1cdc, in_clrip = 0x1d00, clripnum = 0x1ddc, setie = 0x1e00, setienum = 0x1edc,
        clrie = 0x1f00, clrienum = 0x1fdc, setipnum_le = 0x2000, setipnum_be = 0x2004, genmsi = 0x3000, target = 0x3004, targetEnd = 0x4000;
    private const uint DomainFixed = 0x8000_0004, DomainIe = 1 << 8, Delegate = 1 << 10, AddressLock = 1u << 31, TargetWritable = 0xfffc_07ff;

    private enum Mode : uint { Inactive = 0, Detached = 1, Edge1 = 4, Edge0 = 5, Level1 = 6, Level0 = 7 }

    private readonly Lock _lock = new();
    private readonly int _sources;
    private readonly Imsic _imsic;
    private readonly Aplic? _child;
    [Saved(1)] private bool _enabled;
    [Saved(2)] private readonly uint[] _sourcecfg;
    [Saved(3)] private readonly uint[] _target;
    [Saved(4)] private readonly bool[] _level;
    [Saved(5)] private readonly bool[] _pending;
    [Saved(6)] private readonly bool[] _enable;
    [Saved(7)] private readonly bool[] _present;
    [Saved(8)] private uint _genmsi;

    /// <param name="sources">Number of sources; they count from 1.</param>
    /// <param name="imsic">Where this domain's messages go.</param>
    /// <param name="child">The domain that sources can be delegated to.</param>
    /// <param name="root">The wires arrive here.</param>
    public Aplic(int sources, Imsic imsic, Aplic? child = null, bool root = true)
    {
        _sources = sources;
        _imsic = imsic;
        _child = child;
        _sourcecfg = new uint[sources + 1];
        _target = new uint[sources + 1];
        _level = new bool[sources + 1];
        _pending = new bool[sources + 1];
        _enable = new bool[sources + 1];
        _present = new bool[sources + 1];
        _root = root;
        Array.Fill(_present, root);
    }

    private readonly bool _root;

    /// <inheritdoc/>
    public string NodeName => "aplic";

    /// <inheritdoc/>
    public ulong Size => 0x8000;

    /// <inheritdoc/>
    public void SetLevel(int input, bool level)
    {
        if (input <= 0 || input > _sources)
            return;
        lock (_lock)
        {
            bool before = Rectified(input);
            _level[input] = level;
            if ((_sourcecfg[input] & Delegate) != 0)
                _child?.SetLevel(input, level);
            else
                Follow(input, before);
        }
    }

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = 0;
        if (size != 4)
            return false;
        lock (_lock)
        {
            value = offset switch
            {
                domaincfg => DomainFixed | (_enabled ? DomainIe : 0),
                < sourcecfgEnd => Source(offset, sourcecfg) is > 0 and int s ? _sourcecfg[s] : 0,
                mmsiaddrcfgh or smsiaddrcfgh => _root ? AddressLock : 0,
                >= setip and < setip + 0x80 => Bits(_pending, offset - setip),
                >= in_clrip and < in_clrip + 0x80 => RectifiedBits(offset - in_clrip),
                >= setie and < setie + 0x80 => Bits(_enable, offset - setie),
                genmsi => _genmsi,
                >= target and < targetEnd => Source(offset, target) is > 0 and int s ? _target[s] : 0,
                _ => 0,
            };
        }
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        if (size != 4)
            return false;
        uint word = (uint)value;
        lock (_lock)
        {
            switch (offset)
            {
                case domaincfg:
                    _enabled = (word & DomainIe) != 0;
                    for (int s = 1; s <= _sources; s++)
                        Forward(s);
                    break;
                case < sourcecfgEnd: WriteSourceConfig(Source(offset, sourcecfg), word); break;
                case >= setip and < setip + 0x80: EachBit(offset - setip, word, SetPending); break;
                case setipnum or setipnum_le: SetPending((int)Math.Min(word, int.MaxValue)); break;
                case setipnum_be: SetPending((int)Math.Min(BinaryPrimitives.ReverseEndianness(word), int.MaxValue)); break;
                case >= in_clrip and < in_clrip + 0x80: EachBit(offset - in_clrip, word, ClearPending); break;
                case clripnum: ClearPending((int)Math.Min(word, int.MaxValue)); break;
                case >= setie and < setie + 0x80: EachBit(offset - setie, word, Enable); break;
                case setienum: Enable((int)Math.Min(word, int.MaxValue)); break;
                case >= clrie and < clrie + 0x80: EachBit(offset - clrie, word, Disable); break;
                case clrienum: Disable((int)Math.Min(word, int.MaxValue)); break;
                case genmsi:
                    _genmsi = word & TargetWritable;
                    SendMessage(_genmsi);
                    break;
                case >= target and < targetEnd:
                    if (Source(offset, target) is > 0 and int source && IsActive(source))
                    {
                        _target[source] = word & TargetWritable;
                        Forward(source);
                    }
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
            _enabled = false;
            Array.Clear(_sourcecfg);
            Array.Clear(_target);
            Array.Clear(_pending);
            Array.Clear(_enable);
            Array.Fill(_present, _root);
            _genmsi = 0;
            // The wires keep their level; those of a child come from the root.
            if (!_root)
                Array.Clear(_level);
        }
    }

    /// <inheritdoc/>
    public void Describe(DeviceTreeNode node) => node
        .SetStrings("compatible", "qemu,aplic", "riscv,aplic")
        .SetFlag("interrupt-controller").SetCells("#interrupt-cells", 2).SetCells("#address-cells", 0)
        .SetCells("riscv,num-sources", (uint)_sources);

    private void Sync() { }

    private int Source(ulong offset, ulong first)
    {
        ulong source = offset < first ? 0 : (offset - first) / 4 + 1;
        return source <= (ulong)_sources && _present[source] ? (int)source : 0;
    }

    private Mode ModeOf(int source) => (_sourcecfg[source] & Delegate) != 0 ? Mode.Inactive : (Mode)(_sourcecfg[source] & 7);

    private bool IsActive(int source) => source > 0 && source <= _sources && ModeOf(source) != Mode.Inactive;

    /// <summary>The input after inversion (section 4.5.2); zero for a source that has no wire.</summary>
    private bool Rectified(int source) => ModeOf(source) switch
    {
        Mode.Edge1 or Mode.Level1 => _level[source],
        Mode.Edge0 or Mode.Level0 => !_level[source],
        _ => false,
    };

    private bool IsLevel(int source) => ModeOf(source) is Mode.Level1 or Mode.Level0;

    /// <summary>Section 4.7: a rising edge sets the pending bit, a falling one clears that of a level.</summary>
    private void Follow(int source, bool before)
    {
        bool now = Rectified(source);
        if (now && !before)
            _pending[source] = true;
        else if (!now && IsLevel(source))
            _pending[source] = false;
        Forward(source);
    }

    private void WriteSourceConfig(int source, uint value)
    {
        if (source == 0)
            return;
        bool wasDelegated = (_sourcecfg[source] & Delegate) != 0, before = Rectified(source);
        uint mode = value & 7;
        bool delegated = (value & Delegate) != 0 && _child is not null;
        // Reserved modes are not kept; a delegation is to child 0.
        _sourcecfg[source] = delegated ? Delegate : mode is 2 or 3 || (value & Delegate) != 0 ? 0 : mode;
        if (delegated != wasDelegated)
            _child!.Present(source, delegated, _level[source]);
        if (!IsActive(source))
        {
            _pending[source] = _enable[source] = false;
            _target[source] = 0;
            return;
        }
        Follow(source, before);
    }

    /// <summary>The root gives the child a source, or takes it back.</summary>
    private void Present(int source, bool present, bool level)
    {
        lock (_lock)
        {
            _present[source] = present;
            _level[source] = present && level;
            _sourcecfg[source] = _target[source] = 0;
            _pending[source] = _enable[source] = false;
        }
    }

    private void SetPending(int source)
    {
        // Of a level, only while its input is high (section 4.7).
        if (!IsActive(source) || (IsLevel(source) && !Rectified(source)))
            return;
        _pending[source] = true;
        Forward(source);
    }

    private void ClearPending(int source)
    {
        if (IsActive(source))
            _pending[source] = false;
    }

    private void Enable(int source)
    {
        if (!IsActive(source))
            return;
        _enable[source] = true;
        Forward(source);
    }

    private void Disable(int source)
    {
        if (IsActive(source))
            _enable[source] = false;
    }

    private void Forward(int source)
    {
        if (!_enabled || !_pending[source] || !_enable[source])
            return;
        _pending[source] = false;
        SendMessage(_target[source]);
    }

    private void SendMessage(uint message)
    {
        int hart = (int)(message >> 18);
        if (hart < _imsic.Count)
            _imsic[hart].Receive(message & 0x7ff);
    }

    private uint Bits(bool[] bits, ulong offset)
    {
        uint word = 0;
        for (int i = 0, s = (int)(offset / 4) * 32; i < 32; i++, s++)
            word |= s <= _sources && bits[s] ? 1u << i : 0;
        return word;
    }

    private uint RectifiedBits(ulong offset)
    {
        uint word = 0;
        for (int i = 0, s = (int)(offset / 4) * 32; i < 32; i++, s++)
            word |= s > 0 && s <= _sources && Rectified(s) ? 1u << i : 0;
        return word;
    }

    private static void EachBit(ulong offset, uint word, Action<int> action)
    {
        for (int i = 0; i < 32; i++)
        {
            if ((word >> i & 1) != 0)
                action((int)(offset / 4) * 32 + i);
        }
    }
}
