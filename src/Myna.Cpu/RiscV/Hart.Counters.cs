using Myna.Hardware.State;

namespace Myna.Cpu.RiscV;

/// <summary>
/// cycle, instret and the programmable counters with overflow interrupts (Sscofpmf).
/// DEVIATION: a cycle is a nanosecond of the machine's clock, plus one for each instruction so that the counter moves while the clock stands.
/// LIMIT: the filters MINH, SINH and UINH are kept but count nothing less; before a guest first reads or writes a counter
/// of instructions, translated code counts none.
/// </summary>
public sealed partial class Hart
{
    // While a counter runs: what its source showed when it was zero. While it stands, nothing.
    [Saved(34)] private readonly ulong[] _counterBases = new ulong[3 + CsrTable.ProgrammableCounters];
    [Saved(35)] private readonly ulong[] _counterSeen = new ulong[3 + CsrTable.ProgrammableCounters];

    private ulong Cycles => _clock.Now + Block.Context.InstructionCount;

    private ulong EventOf(int counter) => counter switch
    {
        0 => CounterEvent.Cycles,
        // time is no counter.
        1 => 0,
        2 => CounterEvent.Instructions,
        _ => _events[counter - 3] & CounterEvent.Selector,
    };

    private bool Runs(int counter) => (_mcountinhibit >> counter & 1) == 0 && EventOf(counter) is CounterEvent.Cycles or CounterEvent.Instructions;

    private ulong SourceOf(int counter) => EventOf(counter) == CounterEvent.Cycles ? Cycles : Block.Context.InstructionCount;

    private ulong ReadCounter(int counter)
    {
        if (counter == 1)
            return Time;
        if (counter >= _counterValues.Length)
            return 0;
        CountFrom(counter);
        return ValueOf(counter);
    }

    private ulong ValueOf(int counter) => Runs(counter) ? SourceOf(counter) - _counterBases[counter] : _counterValues[counter];

    // Translated code counts instructions once the guest has looked: from then on the counts are exact.
    private void CountFrom(int counter)
    {
        if (_countsInstructions || EventOf(counter) != CounterEvent.Instructions)
            return;
        _countsInstructions = true;
        UpdateMode();
    }

    /// <summary>Sets mcycle (0), minstret (2) or a programmable counter (3 and up).</summary>
    public void WriteCounter(int counter, ulong value)
    {
        if (counter == 1 || counter >= _counterValues.Length)
            return;
        CountFrom(counter);
        _counterValues[counter] = value;
        // The write takes effect after this instruction, which is not counted itself.
        StartCounter(counter, value, EventOf(counter) == CounterEvent.Instructions ? 1UL : 0);
    }

    private void StartCounter(int counter, ulong value, ulong ahead)
    {
        _counterBases[counter] = SourceOf(counter) + ahead - value;
        _counterSeen[counter] = value;
        if (counter >= 3)
            ArmCounters();
    }

    // Every counter's value is stored, ready for a change of what makes it run.
    private void StoreCounters()
    {
        for (int i = 0; i < _counterValues.Length; i++)
            _counterValues[i] = i == 1 ? 0 : ValueOf(i);
    }

    private void StartCounters()
    {
        for (int i = 0; i < _counterValues.Length; i++)
            StartCounter(i, _counterValues[i], 0);
    }

    private void WriteCounterInhibit(ulong value)
    {
        StoreCounters();
        _mcountinhibit = value;
        StartCounters();
    }

    private void WriteEvent(int index, ulong value)
    {
        if ((value & CounterEvent.Selector) > CounterEvent.Instructions)
            value &= ~CounterEvent.Selector;
        StoreCounters();
        _events[index] = value;
        StartCounters();
    }

    // scountovf: the OF bits, of the counters that S-mode may read.
    private ulong CounterOverflows
    {
        get
        {
            ulong bits = 0;
            for (int i = 0; i < _events.Length; i++)
            {
                if ((_events[i] & CounterEvent.Overflow) != 0)
                    bits |= 1UL << (i + 3);
            }
            return _privilege == PrivilegeLevel.Machine ? bits : bits & _mcounteren;
        }
    }

    // Overflows are looked for when the earliest could have happened: no source counts faster than two a nanosecond or so.
    private void ArmCounters()
    {
        ulong nearest = ulong.MaxValue;
        for (int i = 3; i < _counterValues.Length; i++)
        {
            if (Runs(i) && (_events[i - 3] & CounterEvent.Overflow) == 0)
                nearest = Math.Min(nearest, 0 - ReadCounter(i) - 1);
        }
        // Beyond some hours nobody samples.
        if (nearest >= 1UL << 44)
            _counterTimer.Cancel();
        else
            _counterTimer.Arm(_clock.Now + Math.Max(nearest / 2, 1000));
    }

    private void CheckCounters()
    {
        bool any = false;
        for (int i = 3; i < _counterValues.Length; i++)
        {
            if (!Runs(i))
                continue;
            ulong now = ReadCounter(i);
            if (now < _counterSeen[i] && (_events[i - 3] & CounterEvent.Overflow) == 0)
            {
                _events[i - 3] |= CounterEvent.Overflow;
                SetSoftwarePending(Interrupts.Lcofip, true);
            }
            _counterSeen[i] = now;
            any = true;
        }
        if (any)
            ArmCounters();
    }
}
