namespace Myna.Devices.Interrupts;

// The timer (Intel SDM volume 3, section 11.5.4): one-shot, periodic, TSC deadline.
public sealed partial class LocalApic
{
    private const uint TimerModeMask = 3 << 17, OneShot = 0, Periodic = 1 << 17, TscDeadlineMode = 2 << 17;

    /// <summary>
    /// Nanoseconds between two expirations for which the host is woken. DEVIATION: interrupts of shorter periods coalesce,
    /// so that a guest cannot keep the host's timer thread busy with nothing else.
    /// </summary>
    private const ulong MinimumPeriod = 20_000;

    private uint TimerMode => _lvt[Timer] & TimerModeMask;

    /// <summary>Binary logarithm of the divisor in the divide configuration register.</summary>
    private int DivideShift => (int)((_divide & 3) | (_divide >> 1 & 4)) + 1 & 7;

    private ulong Period => (ulong)_initialCount << DivideShift;

    private ulong Tsc => _clock.Now + _core.TscOffset;

    /// <inheritdoc/>
    public void TscOffsetChanged()
    {
        lock (_lock)
        {
            if (_hosted)
                return;
            ExpireIfDue();
            _armed = true;
            ArmTimer();
            Update();
        }
    }

    private void TimerCallback()
    {
        lock (_lock)
        {
            if (_hosted)
                return;
            _armed = false;
            ExpireIfDue();
            ArmTimer();
            Update();
        }
    }

    /// <summary>What should have happened by now happens; software must not see a count of zero without its interrupt.</summary>
    private void ExpireIfDue()
    {
        if (TimerMode == TscDeadlineMode)
        {
            if (_tscDeadline == 0 || Tsc < _tscDeadline)
                return;
            _tscDeadline = 0;
            RaiseLocal(Timer);
            return;
        }
        ulong now;
        if (_expiry == 0 || (now = _clock.Now) < _expiry)
            return;
        ulong period = Period;
        _expiry = TimerMode == Periodic && period != 0 ? _expiry + ((now - _expiry) / period + 1) * period : 0;
        RaiseLocal(Timer);
    }

    /// <summary>Arms or disarms the host's timer; a masked entry needs none.</summary>
    private void ArmTimer()
    {
        ulong deadline = ulong.MaxValue;
        if ((_lvt[Timer] & LvtMask) == 0)
        {
            if (TimerMode == TscDeadlineMode)
            {
                if (_tscDeadline != 0)
                {
                    ulong tsc = Tsc, now = _clock.Now, wait = _tscDeadline > tsc ? _tscDeadline - tsc : 0;
                    deadline = wait < ulong.MaxValue - now ? now + wait : ulong.MaxValue;
                }
            }
            else if (_expiry != 0)
            {
                deadline = TimerMode == Periodic && Period < MinimumPeriod ? Math.Max(_expiry, _clock.Now + MinimumPeriod) : _expiry;
            }
        }
        if (deadline != ulong.MaxValue)
        {
            _armed = true;
            _timer.Arm(deadline);
        }
        else if (_armed)
        {
            _armed = false;
            _timer.Cancel();
        }
    }

    private uint CurrentCount()
    {
        ExpireIfDue();
        if (_expiry == 0)
            return 0;
        int shift = DivideShift;
        ulong remaining = _expiry - Math.Min(_expiry, _clock.Now);
        return (uint)(remaining + (1UL << shift) - 1 >> shift);
    }

    private void StartCount(uint count) => _expiry = count == 0 ? 0 : _clock.Now + ((ulong)count << DivideShift);

    private void WriteInitialCount(uint value)
    {
        if (TimerMode == TscDeadlineMode)
            return;
        ExpireIfDue();
        _initialCount = value;
        StartCount(value);
        ArmTimer();
    }

    private void WriteDivide(uint value)
    {
        // The count goes on from where it is, at the new speed.
        uint count = CurrentCount();
        _divide = value;
        StartCount(count);
        ArmTimer();
    }

    private void WriteTimerEntry(uint value)
    {
        ExpireIfDue();
        bool deadlineBefore = TimerMode == TscDeadlineMode;
        _lvt[Timer] = value;
        if (deadlineBefore != (TimerMode == TscDeadlineMode))
        {
            // Section 11.5.4.1: a change to or from TSC-deadline mode disarms the timer.
            _expiry = 0;
            _initialCount = 0;
            _tscDeadline = 0;
        }
        ArmTimer();
    }

    private ulong ReadTscDeadline()
    {
        lock (_lock)
        {
            ExpireIfDue();
            Update();
            return _tscDeadline;
        }
    }

    private void WriteTscDeadline(ulong value)
    {
        lock (_lock)
        {
            if (TimerMode != TscDeadlineMode)
                return;
            _tscDeadline = value;
            ExpireIfDue();
            ArmTimer();
            Update();
        }
    }
}
