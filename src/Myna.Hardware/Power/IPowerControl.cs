namespace Myna.Hardware.Power;

/// <summary>What a device asks of the machine it sits in. Called on a virtual CPU's thread; takes effect soon after.</summary>
public interface IPowerControl
{
    /// <summary>The guest ends the machine.</summary>
    /// <param name="status">Its exit status, 0 for success.</param>
    void PowerOff(int status);

    /// <summary>The guest resets the machine.</summary>
    void Reset();

    /// <summary>The machine stands still until its user goes on; without one who could, nothing happens.</summary>
    void Pause() { }
}
