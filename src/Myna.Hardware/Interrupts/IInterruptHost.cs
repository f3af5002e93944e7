namespace Myna.Hardware.Interrupts;

/// <summary>
/// Interrupt controllers that the host's kernel has taken over from their models for the time while guest code runs. The models still
/// exist, know the levels of their inputs, and hand on what reaches them. Called from any thread.
/// </summary>
public interface IInterruptHost
{
    /// <summary>A message to local APICs (Intel SDM volume 3, section 11.11).</summary>
    /// <returns>False when none accepted it.</returns>
    bool Send(ulong address, uint data);

    /// <summary>The message of an I/O APIC's pin, from which the host learns of which vectors the model wants to see the end.</summary>
    void SetRoute(int pin, ulong address, uint data);

    /// <summary>Level of a global system interrupt whose controllers are the host's.</summary>
    void SetLine(int gsi, bool level);

    /// <summary>When it returns the models hold the state again, until a CPU next enters the host. Not from inside a device's lock.</summary>
    void Recall();
}
