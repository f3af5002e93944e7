namespace Myna.Hardware.State;

/// <summary>
/// Something that can have work under way on other threads (disk requests). The saved state holds none of it: once the
/// CPUs stand still and before anything is saved, the machine drains it.
/// </summary>
public interface IDrainable
{
    /// <summary>Returns when nothing is under way any more. New work begins only by the guest's doing.</summary>
    void Drain();
}
