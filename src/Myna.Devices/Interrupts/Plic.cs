using System.Numerics;
using Myna.Hardware.Firmware;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Interrupts;

/// <summary>
/// Platform-level interrupt controller (RISC-V PLIC specification 1.0.0). All gateways are level-triggered: a request
/// once forwarded stays pending until claimed, and the next is forwarded after completion (section 5.1).
/// </summary>
[Stateful("plic")]
public sealed partial class Plic : IMmio, IInterruptSink, IPlatformDevice
{
    /// <summary>Highest priority; WARL, three bits.</summary>
    public const uint MaximumPriority = 7;

    private const ulong Pending = 0x1000, Enable = 0x2000, EnableEnd = 0x1f_2000, Context = 0x20_0000;
    private const int EnableStride = 0x80, ContextStride = 0x1000;

    private readonly Lock _lock = new();
    private readonly int _sources;
    private readonly int _words;
    [NotSaved("wiring")] private readonly InterruptLine[] _targets;
    [Saved(1)] private readonly uint[] _priority;
    [Saved(2)] private readonly uint[] _pending;
    [Saved(3)] private readonly uint[] _level;
    [Saved(4)] private readonly uint[] _inService;
    [Saved(5)] private readonly uint[] _enable;
    [Saved(6)] private readonly uint[] _threshold;

    /// <param name="sources">Number of interrupt sources including the reserved source 0; at most 1024.</param>
    /// <param name="targets">The external interrupt of each context, in the order of the contexts.</param>
    public Plic(int sources, InterruptLine[] targets)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sources, 1024);
        _sources = sources;
        _words = (sources + 31) / 32;
        _targets = targets;
        _priority = new uint[sources];
        _pending = new uint[_words];
        _level = new uint[_words];
        _inService = new uint[_words];
        _enable = new uint[_words * targets.Length];
        _threshold = new uint[targets.Length];
    }

    /// <inheritdoc/>
    public string NodeName => "plic";

    /// <inheritdoc/>
    public ulong Size => Context + (ulong)Math.Max(_targets.Length, 1) * ContextStride;

    /// <inheritdoc/>
    public void SetLevel(int input, bool level)
    {
        if (input <= 0 || input >= _sources)
            return;
        lock (_lock)
        {
            uint bit = 1u << (input & 31);
            ref uint word = ref _level[input >> 5];
            if (((word & bit) != 0) == level)
                return;
            word ^= bit;
            if (level && (_inService[input >> 5] & bit) == 0 && (_pending[input >> 5] & bit) == 0)
            {
                _pending[input >> 5] |= bit;
                UpdateTargets();
            }
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
            if (offset < Pending)
                value = offset / 4 < (ulong)_sources ? _priority[offset / 4] : 0;
            else if (offset < Enable)
                value = (offset - Pending) / 4 < (ulong)_words ? _pending[(offset - Pending) / 4] : 0;
            else if (offset < EnableEnd)
                value = EnableIndex(offset) is >= 0 and int index ? _enable[index] : 0;
            else if (offset >= Context && (offset - Context) / ContextStride < (ulong)_targets.Length)
            {
                int context = (int)((offset - Context) / ContextStride);
                value = (offset & (ContextStride - 1)) switch
                {
                    0 => _threshold[context],
                    4 => Claim(context),
                    _ => 0,
                };
            }
        }
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        if (size != 4)
            return false;
        lock (_lock)
        {
            if (offset < Pending)
            {
                if (offset / 4 is var source && source > 0 && source < (ulong)_sources)
                {
                    _priority[source] = (uint)value & MaximumPriority;
                    UpdateTargets();
                }
            }
            else if (offset is >= Enable and < EnableEnd)
            {
                if (EnableIndex(offset) is >= 0 and int index)
                {
                    _enable[index] = (uint)value & ValidMask(index % _words);
                    UpdateTarget(index / _words);
                }
            }
            else if (offset >= Context && (offset - Context) / ContextStride < (ulong)_targets.Length)
            {
                int context = (int)((offset - Context) / ContextStride);
                switch (offset & (ContextStride - 1))
                {
                    case 0:
                        _threshold[context] = (uint)value & MaximumPriority;
                        UpdateTarget(context);
                        break;
                    case 4:
                        Complete(context, (uint)value);
                        break;
                }
            }
        }
        return true;
    }

    /// <inheritdoc/>
    public void Reset()
    {
        lock (_lock)
        {
            Array.Clear(_priority);
            Array.Clear(_pending);
            Array.Clear(_inService);
            Array.Clear(_enable);
            Array.Clear(_threshold);
            // The levels belong to the devices: what is asserted still is.
            _level.CopyTo(_pending, 0);
            UpdateTargets();
        }
    }

    /// <inheritdoc/>
    public void Describe(DeviceTreeNode node) => node
        .SetStrings("compatible", "sifive,plic-1.0.0", "riscv,plic0")
        .SetCells("#interrupt-cells", 1).SetCells("#address-cells", 0)
        .SetFlag("interrupt-controller")
        .SetCells("riscv,ndev", (uint)_sources - 1);

    private void Sync() => UpdateTargets();

    private uint ValidMask(int word)
    {
        uint mask = word == 0 ? ~1u : ~0u;
        int left = _sources - word * 32;
        return left >= 32 ? mask : mask & ((1u << left) - 1);
    }

    private int EnableIndex(ulong offset)
    {
        int context = (int)((offset - Enable) / EnableStride);
        int word = (int)((offset - Enable) % EnableStride / 4);
        return context < _targets.Length && word < _words ? context * _words + word : -1;
    }

    /// <summary>The pending, enabled source of the highest priority above the threshold; the lowest number among equals.</summary>
    private int Best(int context, uint threshold)
    {
        int best = 0;
        for (int word = 0; word < _words; word++)
        {
            uint candidates = _pending[word] & _enable[context * _words + word];
            while (candidates != 0)
            {
                int source = word * 32 + BitOperations.TrailingZeroCount(candidates);
                candidates &= candidates - 1;
                if (_priority[source] > threshold)
                {
                    best = source;
                    threshold = _priority[source];
                }
            }
        }
        return best;
    }

    /// <summary>Section 9: a claim is not affected by the threshold; priority 0 means "never interrupt".</summary>
    private uint Claim(int context)
    {
        int source = Best(context, 0);
        if (source != 0)
        {
            _pending[source >> 5] &= ~(1u << (source & 31));
            _inService[source >> 5] |= 1u << (source & 31);
            UpdateTargets();
        }
        return (uint)source;
    }

    /// <summary>Section 10: completion of a source that is not enabled for the context is ignored.</summary>
    private void Complete(int context, uint source)
    {
        if (source == 0 || source >= (uint)_sources)
            return;
        int word = (int)source >> 5;
        uint bit = 1u << ((int)source & 31);
        if ((_enable[context * _words + word] & bit) == 0 || (_inService[word] & bit) == 0)
            return;
        _inService[word] &= ~bit;
        if ((_level[word] & bit) != 0)
        {
            _pending[word] |= bit;
            UpdateTargets();
        }
    }

    private void UpdateTargets()
    {
        for (int context = 0; context < _targets.Length; context++)
            UpdateTarget(context);
    }

    private void UpdateTarget(int context) => _targets[context].Set(Best(context, _threshold[context]) != 0);
}
