using Myna.Hardware.State;
using System.Buffers.Binary;

namespace Myna.Devices.Interrupts;

// The registers' way to a local APIC in the host's kernel and back. They travel as the register page of xAPIC mode has them (Intel SDM
// volume 3, table 11-1), the ID in bits 31:24 in both modes.
public sealed partial class LocalApic
{
    /// <summary>Bytes of the register page that have meaning.</summary>
    public const int PageSize = 0x400;

    [NotSaved("how the CPU is run")] private volatile bool _hosted;

    /// <summary>The host holds the registers.</summary>
    public bool IsHosted => _hosted;

    /// <summary>Gives the registers away; until <see cref="TakeBack"/> only the levels of inputs are followed here.</summary>
    /// <param name="page"><see cref="PageSize"/> bytes.</param>
    /// <returns>IA32_APIC_BASE, and IA32_TSC_DEADLINE.</returns>
    public (ulong Base, ulong TscDeadline) HandOver(Span<byte> page)
    {
        lock (_lock)
        {
            page[..PageSize].Clear();
            ExpireIfDue();
            Put(page, ID, (IsX2Apic ? _initialId : _xapicId) << 24);
            Put(page, VERSION, VersionRegister);
            Put(page, TPR, _tpr);
            Put(page, LDR, IsX2Apic ? LogicalX2ApicId : _ldr);
            Put(page, DFR, _dfr);
            Put(page, SVR, _svr);
            for (int i = 0; i < 8; i++)
            {
                Put(page, ISR + i, Word(_isr, i));
                Put(page, TMR + i, Word(_tmr, i));
                Put(page, IRR + i, Word(_irr, i));
            }
            Put(page, ESR, _esr);
            Put(page, ICR_LOW, (uint)_icr);
            Put(page, ICR_HIGH, (uint)(_icr >> 32));
            for (int i = 0; i < LvtEntries; i++)
                Put(page, LVT_TIMER + i, _lvt[i]);
            Put(page, INITIAL_COUNT, _initialCount);
            Put(page, CURRENT_COUNT, CurrentCount());
            Put(page, DIVIDE, _divide);
            _timer.Cancel();
            _armed = false;
            _hosted = true;
            _intr = false;
            _core.SetIntr(HostedIntr);
            return (_apicBase, _tscDeadline);
        }
    }

    /// <summary>Takes the registers from the host's.</summary>
    /// <inheritdoc cref="HandOver"/>
    public void TakeBack(ReadOnlySpan<byte> page, ulong apicBase, ulong tscDeadline)
    {
        lock (_lock)
        {
            _hosted = false;
            Volatile.Write(ref _apicBase, apicBase);
            // In x2APIC mode it cannot be changed.
            if (!IsX2Apic)
            {
                Volatile.Write(ref _xapicId, Get(page, ID) >> 24);
                Volatile.Write(ref _ldr, Get(page, LDR));
            }
            Volatile.Write(ref _tpr, Get(page, TPR) & 0xff);
            Volatile.Write(ref _dfr, Get(page, DFR));
            Volatile.Write(ref _svr, Get(page, SVR));
            for (int i = 0; i < 4; i++)
            {
                _isr[i] = Wide(page, ISR + 2 * i);
                _tmr[i] = Wide(page, TMR + 2 * i);
                _irr[i] = Wide(page, IRR + 2 * i);
            }
            _esr = Get(page, ESR);
            _errors = 0;
            _icr = Get(page, ICR_LOW) & ~IcrBusy | (ulong)Get(page, ICR_HIGH) << 32;
            for (int i = 0; i < LvtEntries; i++)
                _lvt[i] = Get(page, LVT_TIMER + i);
            _initialCount = Get(page, INITIAL_COUNT);
            _divide = Get(page, DIVIDE);
            _expiry = 0;
            StartCount(Get(page, CURRENT_COUNT));
            _tscDeadline = tscDeadline;
            _external = false;
        }
        Sync();
    }


    /// <inheritdoc/>
    public void Observe(ulong apicBase, int taskPriority)
    {
        Volatile.Write(ref _apicBase, apicBase);
        Volatile.Write(ref _tpr, (uint)taskPriority << 4);
    }

    /// <summary>Whether an interrupt is requested or in service.</summary>
    internal bool Knows(byte vector)
    {
        lock (_lock)
            return ((_irr[vector >> 6] | _isr[vector >> 6]) >> vector & 1) != 0;
    }

    // INTR of the 8259 pair is this model's matter as long as that is; the host looks whether LINT0 lets it pass.
    private bool HostedIntr => _lint[0] && _core.Index == 0 && _bus.Pic is { IsHosted: false };

    private void SetHostedLint(int input)
    {
        if (input == 0)
            _core.SetIntr(HostedIntr);
        else if (_lint[1])
            _core.Nmi();
    }

    // The interpreter executes an instruction that touches the registers: they are here as long as it does.
    private void Recall()
    {
        if (_hosted)
            _bus.Host?.Recall();
    }

    private static void Put(Span<byte> page, int register, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(page[(register << 4)..], value);

    private static uint Get(ReadOnlySpan<byte> page, int register) => BinaryPrimitives.ReadUInt32LittleEndian(page[(register << 4)..]);

    private static ulong Wide(ReadOnlySpan<byte> page, int register) => Get(page, register) | (ulong)Get(page, register + 1) << 32;
}
