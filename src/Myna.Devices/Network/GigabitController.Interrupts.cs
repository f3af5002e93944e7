namespace Myna.Devices.Network;

public abstract partial class GigabitController
{
    /// <summary>Causes came up. Takes the lock.</summary>
    private void Raise(InterruptCause causes)
    {
        lock (_lock)
            SetCauses(causes);
    }

    private protected void SetCauses(InterruptCause causes)
    {
        this[GigabitRegister.ICR] |= (uint)CausesOf(causes);
        UpdateInterrupts();
    }

    /// <summary>All causes that go with these on this model.</summary>
    private protected virtual InterruptCause CausesOf(InterruptCause causes) => causes;

    /// <summary>A read of ICR clears it (SDM, section 13.4.17).</summary>
    private protected virtual uint ReadCauses()
    {
        uint causes = this[GigabitRegister.ICR];
        this[GigabitRegister.ICR] = 0;
        UpdateInterrupts();
        return causes;
    }

    private protected virtual void UpdateInterrupts() => SetIntx((this[GigabitRegister.ICR] & this[GigabitRegister.IMS]) != 0);
}
