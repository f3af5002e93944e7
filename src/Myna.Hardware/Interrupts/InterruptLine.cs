namespace Myna.Hardware.Interrupts;

/// <summary>What interrupt lines end in: an interrupt controller or a CPU. Called from any thread.</summary>
public interface IInterruptSink
{
    /// <summary>Sets the level of one of the sink's inputs. Setting the level it has already is harmless.</summary>
    void SetLevel(int input, bool level);
}

/// <summary>A wire from a device to one input of an interrupt controller. The default value is not connected.</summary>
public readonly record struct InterruptLine(IInterruptSink? Sink, int Input)
{
    public void Set(bool level) => Sink?.SetLevel(Input, level);
}

/// <summary>Where message-signalled interrupts go: a 32-bit write to an address. Called from any thread.</summary>
public interface IMsiSink
{
    /// <returns>False when nothing takes messages at that address.</returns>
    bool Send(ulong address, uint data);
}
